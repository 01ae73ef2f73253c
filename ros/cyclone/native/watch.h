// Watching topics without delivering samples: threads of the library count and time them, a thread of our own decides
// on silence. JavaScript only hears of changes.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <queue>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "gaps.h"
#include "participant.h"

struct WatchOptions {
  // DDS names; a reader is made for each type that a writer of the topic has.
  std::string topic;
  // 0: never silent.
  int64_t maxSilenceNs = 0;
  int64_t leaseNs = DDS_INFINITY;
  int64_t windowNs = 1'000'000'000;
};

using GuidSet = std::unordered_set<Guid, GuidHash>;

struct WatchedWriter {
  Guid guid{};
  dds_instance_handle_t handle = 0;
  std::string type;
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

class Watch;

// A reader of one type; listeners hold a pointer to it.
struct WatchReader {
  Watch* watch = nullptr;
  Watcher* watcher = nullptr;
  std::string type;
  bool isKeyed = false;
  dds_entity_t topic = 0;
  dds_entity_t entity = 0;
};

class Watch {
 public:
  Watch(uint32_t id, WatchOptions options, Participant& owner);

  const uint32_t id;
  const WatchOptions options;

  // For any thread.
  void onSample(const Guid& writer, dds_instance_handle_t handle, const std::string& type, int64_t atNs,
                int64_t sourceNs);
  void onMatched(const Guid& writer, dds_instance_handle_t handle, const std::string& type, const Qos& qos,
                 int64_t atNs);
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

  // Only used by the watcher's thread.
  std::vector<std::unique_ptr<WatchReader>> readers;

 private:
  bool isAccepted(const Guid& writer) const { return !accepted_ || accepted_->count(writer) > 0; }
  void tell(Event::Kind kind, const Guid& writer, int64_t atNs, int64_t lastNs = 0);
  void count(int64_t atNs);
  void remove(const Guid& writer, int64_t atNs);
  void forgetStale(int64_t nowNs);
  WatchedWriter* byHandle(dds_instance_handle_t handle);

  static constexpr size_t kBuckets = 20;

  Participant& owner_;
  std::mutex mutex_;
  std::unordered_map<Guid, WatchedWriter, GuidHash> writers_;
  std::optional<GuidSet> accepted_;
  WatchStats stats_;
  std::string problem_;
  bool isClosed_ = false;
  // Silence counts from the last accepted sample or from here, whichever is later.
  int64_t sinceNs_;
  bool wasHeard_ = false;
  bool isSilent_ = false;
  // The last sample of an accepted writer that is gone.
  int64_t goneNs_ = 0;
  // Samples by the part of the window that they came in; `bucket_` numbers parts since the clock's beginning.
  uint32_t buckets_[kBuckets] = {};
  int64_t bucket_ = 0;
};

// The thread behind all watches of a participant.
class Watcher {
 public:
  explicit Watcher(Participant& owner);
  ~Watcher();

  std::shared_ptr<Watch> add(uint32_t id, WatchOptions options);
  // Looks at the watch again: it was closed, or counts its silence anew.
  void poke(const std::shared_ptr<Watch>& watch);
  // Joins the thread. The readers are left for the participant to delete, and memory until the watcher goes.
  void stop();

  // For listeners.
  void onMatchChange(WatchReader& reader, dds_instance_handle_t writer, bool isMatched);
  void onPublications();

 private:
  struct Publication {
    std::string topic;
    std::string type;
    // Where ROS 2 tells the hash of the type: what reads the topic says the same of it.
    std::string userData;
  };
  struct MatchChange {
    WatchReader* reader;
    dds_instance_handle_t writer;
    bool isMatched;
    int64_t atNs;
  };
  struct Timer {
    int64_t dueNs;
    std::weak_ptr<Watch> watch;
    bool operator>(const Timer& other) const { return dueNs > other.dueNs; }
  };

  void run();
  void openPublications();
  void takePublications();
  void forgetPublication(const Guid& writer);
  void addReaders(Watch& watch);
  void addReader(Watch& watch, const Guid& writer, const Publication& publication);
  bool makeRoom(Watch& watch);
  void remove(WatchReader& reader);
  void resolve(const MatchChange& change);
  void removeClosed(const std::shared_ptr<Watch>& watch);

  Participant& owner_;
  dds_entity_t publications_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool isStopping_ = false;
  bool hasPublications_ = false;
  std::vector<std::shared_ptr<Watch>> poked_;
  std::vector<MatchChange> changes_;

  // Only used by the thread.
  std::unordered_multimap<std::string, std::shared_ptr<Watch>> watches_;
  std::unordered_map<Guid, Publication, GuidHash> known_;
  std::priority_queue<Timer, std::vector<Timer>, std::greater<Timer>> timers_;

  std::thread thread_;
};
