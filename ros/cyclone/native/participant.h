// One participant: its endpoints, what they have to tell to JavaScript, and the threads that do what may wait.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "dds/dds.h"
#include "qos.h"
#include "sample.h"

class Participant;
class Watcher;

enum class EndpointKind { writer, reader, participants, publications, subscriptions };

// Lives until the library has deleted its entity: listeners hold a pointer to it.
struct Endpoint {
  Participant* owner = nullptr;
  uint32_t id = 0;
  EndpointKind kind = EndpointKind::reader;
  dds_entity_t topic = 0;
  dds_entity_t entity = 0;
  Guid guid{};
  // Of a writer: of the samples that it writes, and how many it wrote.
  const ddsi_sertype* type = nullptr;
  int64_t sequence = 0;
  // Of a reader: whether it waits in the queue of those with data.
  std::atomic<bool> isQueued{false};
  // Matched peers by their handle; only used by the JavaScript thread.
  std::unordered_map<dds_instance_handle_t, Guid> peers;
};

struct Event {
  enum class Kind {
    // Of endpoints: `handle` is the peer's, or `count` the total.
    matched, unmatched, incompatibleQos, deadlineMissed, livelinessLost,
    // Of a watch, with the time when it happened.
    watchMatched, watchUnmatched, watchAlive, watchNotAlive, watchHeard, watchSilent,
    // A warning of the library.
    log,
    // Everything is deleted.
    closed,
  };
  Kind kind;
  uint32_t id = 0;
  dds_instance_handle_t handle = 0;
  uint32_t count = 0;
  uint32_t policy = 0;
  Guid guid{};
  int64_t atNs = 0;
  // Of watchSilent; 0: there was none.
  int64_t lastNs = 0;
  std::string text{};
};

struct ParticipantOptions {
  uint32_t domain = 0;
  std::string config;
  std::string userData;
};

class Participant {
 public:
  // `wake` is called by any thread when there is something in the queues, once until it is drained.
  // Throws std::runtime_error.
  Participant(const ParticipantOptions& options, std::function<void()> wake);
  ~Participant();
  Participant(const Participant&) = delete;
  Participant& operator=(const Participant&) = delete;

  const Guid& guid() const { return guid_; }
  dds_entity_t entity() const { return entity_; }
  Watcher& watcher();

  // All below is for the JavaScript thread. The id of an endpoint is never used again. Throws std::runtime_error.
  Endpoint& createWriter(const char* topic, const char* type, const std::string& userData, const Qos& qos);
  Endpoint& createReader(const char* topic, const char* type, const std::string& userData, const Qos& qos,
                         bool isKeyed);
  Endpoint& createGraphReader(EndpointKind kind);
  Endpoint* find(uint32_t id);
  // Where another participant is reached; empty when that is not known.
  std::string locators(const Guid& participant) const;
  uint32_t nextId() { return ++lastId_; }
  // Returns at once; the library may take its time to let go.
  void remove(uint32_t id);
  // Deletes everything in the background, then tells `closed`.
  void beginClose();
  // Deletes everything, and returns when it is gone.
  void closeNow();

  std::vector<Event> takeEvents();
  // Readers with data, each once.
  std::deque<uint32_t> takeReady();

  // For any thread.
  void push(Event event);
  void pushReady(Endpoint& endpoint);

 private:
  void createEntity(std::unique_ptr<Endpoint> endpoint, const char* topic, const char* type,
                    const std::string& userData, const Qos& qos, bool isKeyed);
  Endpoint& adopt(std::unique_ptr<Endpoint> endpoint);
  void reap();
  void deleteAll();
  static void destroy(Endpoint& endpoint);

  const uint32_t domain_;
  const std::function<void()> wake_;
  dds_entity_t entity_ = 0;
  Guid guid_{};
  uint32_t lastId_ = 0;
  std::unordered_map<uint32_t, std::unique_ptr<Endpoint>> endpoints_;
  std::unique_ptr<Watcher> watcher_;

  std::mutex queues_;
  bool isAwake_ = false;
  unsigned pendingLogs_ = 0;
  std::vector<Event> events_;
  std::deque<uint32_t> ready_;

  // The reaper.
  std::mutex reaping_;
  std::condition_variable toReap_;
  std::vector<std::unique_ptr<Endpoint>> removed_;
  bool isClosing_ = false;
  std::thread reaper_;
};

// The message of a failed call of the library.
std::string failure(const char* what, dds_return_t code);
