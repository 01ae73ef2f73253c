#include "participant.h"

#include <stdexcept>
#include <utility>

#include "failure.h"
#include "locators.h"

namespace {

// The library counts up to 16,383 entities below another, and is of no use any more beyond. Each endpoint has a topic below the
// participant; what is left is for watches, without which pods that live would be taken for dead.
constexpr size_t kMaxEndpoints = 15'000;

}  // namespace

Participant::Participant(const ParticipantOptions& options, std::function<void()> wake) : mailbox_(std::move(wake)) {
  domain_.emplace(options.domain, options.config);
  dds_qos_t* qos = dds_create_qos();
  dds_qset_userdata(qos, options.userData.data(), options.userData.size());
  entity_ = dds_create_participant(options.domain, qos, nullptr);
  dds_delete_qos(qos);
  if (entity_ < 0) throw std::runtime_error(failure("dds_create_participant", entity_));
  publisher_ = dds_create_publisher(entity_, nullptr, nullptr);
  subscriber_ = dds_create_subscriber(entity_, nullptr, nullptr);
  dds_guid_t guid;
  dds_get_guid(entity_, &guid);
  memcpy(guid_.data(), guid.v, sizeof guid.v);
  log_.emplace(mailbox_);
  reaper_ = std::thread(&Participant::reap, this);
}

Participant::~Participant() { closeNow(); }

Watcher& Participant::watcher() {
  if (watcher_ == nullptr) watcher_ = std::make_unique<Watcher>(entity_, guid_, mailbox_);
  return *watcher_;
}

std::unique_ptr<Endpoint> Participant::newEndpoint(EndpointKind kind) {
  auto endpoint = std::make_unique<Endpoint>();
  endpoint->mailbox = &mailbox_;
  endpoint->id = nextId();
  endpoint->kind = kind;
  return endpoint;
}

Endpoint& Participant::createEntity(EndpointKind kind, const EndpointOptions& options) {
  if (entities_ >= kMaxEndpoints) {
    throw std::runtime_error("all of the " + std::to_string(kMaxEndpoints) + " endpoints that a participant can have are in use");
  }
  auto endpoint = newEndpoint(kind);
  ddsi_sertype* sertype = newOpaqueType(options.type.c_str(), options.isKeyed);
  endpoint->topic =
      dds_create_topic_sertype(entity_, options.topic.c_str(), &sertype, nullptr, nullptr, nullptr);
  if (endpoint->topic < 0) {
    ddsi_sertype_unref(sertype);
    throw std::runtime_error(failure("dds_create_topic", endpoint->topic));
  }
  // Either the one just made or an equal one that was there before; the topic holds it.
  endpoint->type = sertype;
  const bool isWriter = kind == EndpointKind::writer;
  dds_qos_t* ddsQos = toDds(options.qos);
  const std::string& userData = options.userData;
  if (!userData.empty()) dds_qset_userdata(ddsQos, userData.data(), userData.size());
  dds_listener_t* listener = listenerFor(*endpoint);
  // Listeners may be called before this returns; they only know the endpoint by its id.
  endpoint->entity = isWriter ? dds_create_writer(publisher_, endpoint->topic, ddsQos, listener)
                              : dds_create_reader(subscriber_, endpoint->topic, ddsQos, listener);
  dds_delete_listener(listener);
  dds_delete_qos(ddsQos);
  if (endpoint->entity < 0) {
    const dds_entity_t code = endpoint->entity;
    dds_delete(endpoint->topic);
    throw std::runtime_error(failure(isWriter ? "dds_create_writer" : "dds_create_reader", code));
  }
  dds_guid_t guid;
  dds_get_guid(endpoint->entity, &guid);
  memcpy(endpoint->guid.data(), guid.v, sizeof guid.v);
  ++entities_;
  return adopt(std::move(endpoint));
}

Endpoint& Participant::createGraphReader(EndpointKind kind) {
  auto endpoint = newEndpoint(kind);
  const dds_entity_t topic = kind == EndpointKind::participants   ? DDS_BUILTIN_TOPIC_DCPSPARTICIPANT
                             : kind == EndpointKind::publications ? DDS_BUILTIN_TOPIC_DCPSPUBLICATION
                                                                  : DDS_BUILTIN_TOPIC_DCPSSUBSCRIPTION;
  dds_listener_t* listener = listenerFor(*endpoint);
  endpoint->entity = dds_create_reader(entity_, topic, nullptr, listener);
  dds_delete_listener(listener);
  if (endpoint->entity < 0) throw std::runtime_error(failure("dds_create_reader", endpoint->entity));
  return adopt(std::move(endpoint));
}

Endpoint& Participant::adopt(std::unique_ptr<Endpoint> endpoint) {
  Endpoint& result = *endpoint;
  endpoints_.emplace(result.id, std::move(endpoint));
  // Data that came before the endpoint could be found by its id.
  if (result.kind != EndpointKind::writer) mailbox_.pushReady(result);
  return result;
}

Endpoint* Participant::find(uint32_t id) {
  const auto found = endpoints_.find(id);
  return found == endpoints_.end() ? nullptr : found->second.get();
}

std::string Participant::locators(const Guid& participant) const {
  for (const auto& entry : endpoints_) {
    if (entry.second->type != nullptr) return locatorsOf(*entry.second->type, participant);
  }
  return "";
}

void Participant::remove(uint32_t id) {
  const auto found = endpoints_.find(id);
  if (found == endpoints_.end()) return;
  const std::lock_guard lock(reaping_);
  removed_.push_back(std::move(found->second));
  endpoints_.erase(found);
  toReap_.notify_one();
}

void Participant::beginClose() {
  const std::lock_guard lock(reaping_);
  isClosing_ = true;
  toReap_.notify_one();
}

void Participant::closeNow() {
  beginClose();
  if (reaper_.joinable()) reaper_.join();
}

// Deleting a writer waits until its readers have what it wrote, for the time that is configured as its linger.
void Participant::reap() {
  std::unique_lock lock(reaping_);
  while (!isClosing_) {
    toReap_.wait(lock, [this] { return isClosing_ || !removed_.empty(); });
    const auto removed = std::exchange(removed_, {});
    lock.unlock();
    for (const auto& endpoint : removed) {
      dds_delete(endpoint->entity);
      dds_delete(endpoint->topic);
      --entities_;
    }
    lock.lock();
  }
  lock.unlock();
  deleteAll();
  mailbox_.push(Event{Event::Kind::closed});
}

void Participant::deleteAll() {
  log_.reset();
  if (watcher_ != nullptr) watcher_->stop();
  // Endpoints go with their participant.
  dds_delete(entity_);
  domain_.reset();
}
