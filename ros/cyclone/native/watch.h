// What is known of one watched topic: who publishes it, how often, and whether it has fallen silent. JavaScript only hears
// of changes.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "gaps.h"
#include "mailbox.h"
#include "qos.h"
#include "rate.h"
#include "sample.h"

struct WatchOptions {
  // DDS names; a reader is made for each type that a writer of the topic has.
  std::string topic;
  // 0: never silent.
  int64_t maxSilenceNs = 0;
  int64_t leaseNs = DDS_INFINITY;
  int64_t windowNs = 1'000'000'000;
};

using GuidSet = std::unordered_set<Guid, GuidHash>;

// By which a reader knows a writer.
struct WriterKey {
  Guid guid{};
  dds_instance_handle_t handle = 0;
  std::string type;
};

struct WatchedSample {
  const Guid& writer;
  dds_instance_handle_t handle;
  const std::string& type;
  int64_t atNs;
  int64_t sourceNs;
};

struct WatchedWriter : WriterKey {
  Qos qos;
  bool isMatched = false;
  bool isAlive = true;
  // As of when writers() was asked.
  bool isAccepted = false;
  uint64_t samples = 0;
  int64_t lastNs = 0;
};

struct WatchStats {
  uint64_t samples = 0;
  int64_t lastNs = 0;
  int64_t lastSourceNs = 0;
  double rateHz = 0;
  Gaps gaps;
  // Why writers may be there that nobody hears; empty: there are none.
  std::string problem;
};

// RTPS: the kind of an entity is the last byte of its id.
inline bool isKeyedWriter(const Guid& writer) { return (writer[15] & 0x0f) == 0x02; }

// Any thread may call it.
class Watch {
 public:
  Watch(uint32_t id, WatchOptions options, Mailbox& mailbox);

  const WatchOptions options;

  void onSample(const WatchedSample& sample);
  void onMatched(const WriterKey& writer, const Qos& qos, int64_t atNs);
  void onUnmatched(dds_instance_handle_t handle, int64_t atNs);
  void onLiveliness(dds_instance_handle_t handle, bool isAlive, int64_t atNs);
  // From now on only these count, and what they sent before; undefined: all.
  void accept(std::optional<GuidSet> writers);
  // Writers of a type are gone with the reader of it.
  void forget(const std::string& type, bool isKeyed);
  void setProblem(std::string problem);
  bool hasProblem();
  WatchStats stats();
  std::vector<WatchedWriter> writers();
  void close();
  bool isClosed();

  // Decides on silence; returns when to look again, 0: not needed.
  int64_t checkSilence(int64_t nowNs, bool wasLate);

 private:
  bool isAccepted(const Guid& writer) const { return !accepted_ || accepted_->count(writer) > 0; }
  void tell(Event::Kind kind, const Guid& writer, int64_t atNs, int64_t lastNs = 0);
  void remove(const Guid& writer, int64_t atNs);
  void forgetStale(int64_t nowNs);
  WatchedWriter* byHandle(dds_instance_handle_t handle);

  const uint32_t id_;
  Mailbox& mailbox_;
  std::mutex mutex_;
  std::unordered_map<Guid, WatchedWriter, GuidHash> writers_;
  std::optional<GuidSet> accepted_;
  WatchStats stats_;
  Rate rate_;
  std::string problem_;
  bool isClosed_ = false;
  // Silence counts from the last accepted sample or from here, whichever is later.
  int64_t sinceNs_;
  bool wasHeard_ = false;
  bool isSilent_ = false;
  // The last sample of an accepted writer that is gone.
  int64_t goneNs_ = 0;
};
