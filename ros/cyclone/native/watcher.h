// Watching topics without delivering samples: threads of the library count and time them, a thread of our own finds out
// who publishes what, makes the readers for it, and decides on silence.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <queue>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "dds/dds.h"
#include "mailbox.h"
#include "watch.h"

// The thread behind all watches of a participant.
class Watcher {
 public:
  // Throws std::runtime_error.
  Watcher(dds_entity_t participant, const Guid& guid, Mailbox& mailbox);
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  std::shared_ptr<Watch> add(uint32_t id, WatchOptions options);
  void remove(const std::shared_ptr<Watch>& watch);
  // Joins the thread. The readers are left for the participant to delete, and memory until the watcher goes.
  void stop();

 private:
  // A reader of one type; listeners hold a pointer to it.
  struct Reader {
    Watcher* watcher;
    Watch* watch;
    std::string type;
    bool isKeyed;
    dds_entity_t topic = 0;
    dds_entity_t entity = 0;
  };
  struct Watched {
    std::shared_ptr<Watch> watch;
    std::vector<std::unique_ptr<Reader>> readers;
  };
  struct Publication {
    std::string topic;
    std::string type;
    // Where ROS 2 tells the hash of the type: what reads the topic says the same of it.
    std::string userData;
  };
  struct MatchChange {
    Reader* reader;
    dds_instance_handle_t writer;
    bool isMatched;
    int64_t atNs;
  };
  struct Timer {
    int64_t dueNs;
    std::weak_ptr<Watch> watch;
    bool operator>(const Timer& other) const { return dueNs > other.dueNs; }
  };

  // Listeners.
  static void onData(dds_entity_t entity, void* reader);
  static void onMatch(dds_entity_t entity, dds_subscription_matched_status_t status, void* reader);
  static void onLiveliness(dds_entity_t entity, dds_liveliness_changed_status_t status, void* reader);
  static void onPublications(dds_entity_t entity, void* watcher);

  void poke(const std::shared_ptr<Watch>& watch);
  void run();
  void waitForWork(std::unique_lock<std::mutex>& lock);
  void look(const std::shared_ptr<Watch>& watch);
  void decideOnSilence();
  void takePublications();
  void forgetPublication(const Guid& writer);
  void addReaders(Watched& watched);
  void addReader(Watched& watched, const Guid& writer, const Publication& publication);
  void open(Reader& reader, const Publication& publication);
  bool makeRoom(Watched& watched);
  void removeReader(Reader& reader);
  void removeClosed(const std::shared_ptr<Watch>& watch);
  void resolve(const MatchChange& change);

  const dds_entity_t participant_;
  const Guid guid_;
  Mailbox& mailbox_;
  dds_entity_t publications_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool isStopping_ = false;
  bool hasPublications_ = false;
  std::vector<std::shared_ptr<Watch>> poked_;
  std::vector<MatchChange> changes_;

  // Only used by the thread.
  std::unordered_multimap<std::string, Watched> watches_;
  std::unordered_map<Guid, Publication, GuidHash> known_;
  std::priority_queue<Timer, std::vector<Timer>, std::greater<Timer>> timers_;

  std::thread thread_;
};
