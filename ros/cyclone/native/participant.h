// One participant: its endpoints, the watcher of its topics, and the thread that deletes what may take its time.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "dds/dds.h"
#include "domain.h"
#include "endpoint.h"
#include "library-log.h"
#include "mailbox.h"
#include "qos.h"
#include "watcher.h"

struct ParticipantOptions {
  uint32_t domain = 0;
  std::string config;
  std::string userData;
};

// DDS names.
struct EndpointOptions {
  std::string topic;
  std::string type;
  std::string userData;
  Qos qos;
  bool isKeyed = false;
};

class Participant {
 public:
  // `wake` is called by any thread when there is something in the mailbox. Throws std::runtime_error.
  Participant(const ParticipantOptions& options, std::function<void()> wake);
  ~Participant();
  Participant(const Participant&) = delete;
  Participant& operator=(const Participant&) = delete;

  const Guid& guid() const { return guid_; }
  Mailbox& mailbox() { return mailbox_; }
  Watcher& watcher();

  // All below is for the JavaScript thread. The id of an endpoint is never used again. Throws std::runtime_error.
  Endpoint& createWriter(const EndpointOptions& options) { return createEntity(EndpointKind::writer, options); }
  Endpoint& createReader(const EndpointOptions& options) { return createEntity(EndpointKind::reader, options); }
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

 private:
  Endpoint& createEntity(EndpointKind kind, const EndpointOptions& options);
  std::unique_ptr<Endpoint> newEndpoint(EndpointKind kind);
  Endpoint& adopt(std::unique_ptr<Endpoint> endpoint);
  void reap();
  void deleteAll();

  Mailbox mailbox_;
  std::optional<DomainUse> domain_;
  std::optional<LogSubscription> log_;
  dds_entity_t entity_ = 0;
  // Of all endpoints, as rmw_cyclonedds has it. The library would make one for each, and an entity can have 16,383 others below it.
  dds_entity_t publisher_ = 0;
  dds_entity_t subscriber_ = 0;
  Guid guid_{};
  uint32_t lastId_ = 0;
  // Also those that were removed, until the library has let go of them.
  std::atomic<size_t> entities_{0};
  std::unordered_map<uint32_t, std::unique_ptr<Endpoint>> endpoints_;
  std::unique_ptr<Watcher> watcher_;

  // The reaper.
  std::mutex reaping_;
  std::condition_variable toReap_;
  std::vector<std::unique_ptr<Endpoint>> removed_;
  bool isClosing_ = false;
  std::thread reaper_;
};
