#include "participant.h"

#include <map>
#include <set>
#include <stdexcept>
#include <utility>

#include "locators.h"
#include "watch.h"

namespace {

constexpr unsigned kMaxPendingLogs = 100;

// The library knows a domain once in a process, and its settings are those of the first user.
struct Domain {
  dds_entity_t entity = 0;
  std::string config;
  unsigned users = 0;
};

std::mutex domainsMutex;
std::map<uint32_t, Domain> domains;

// What the library warns of goes to all participants; what it says while one is created explains a failure.
std::mutex logMutex;
std::set<Participant*> logReaders;
std::string* failureLog = nullptr;

void onLog(void*, const dds_log_data_t* data) {
  if ((data->priority & (DDS_LC_FATAL | DDS_LC_ERROR | DDS_LC_WARNING)) == 0) return;
  std::string text(data->message, data->size);
  while (!text.empty() && (text.back() == '\n' || text.back() == '\0')) text.pop_back();
  const std::lock_guard lock(logMutex);
  if (failureLog != nullptr) {
    *failureLog += (failureLog->empty() ? "" : "; ") + text;
    return;
  }
  for (Participant* reader : logReaders) {
    Event event{Event::Kind::log};
    event.text = text;
    reader->push(std::move(event));
  }
}

void acquireDomain(uint32_t id, const std::string& config) {
  const std::lock_guard lock(domainsMutex);
  Domain& domain = domains[id];
  if (domain.users > 0) {
    if (domain.config != config) {
      throw std::runtime_error("another participant of this process uses the domain with other settings");
    }
    domain.users++;
    return;
  }
  std::string log;
  {
    const std::lock_guard logLock(logMutex);
    failureLog = &log;
  }
  dds_set_log_sink(onLog, nullptr);
  const dds_entity_t entity = dds_create_domain(id, config.c_str());
  {
    const std::lock_guard logLock(logMutex);
    failureLog = nullptr;
  }
  if (entity < 0) {
    domains.erase(id);
    throw std::runtime_error(log.empty() ? failure("dds_create_domain", entity) : log);
  }
  domain = {entity, config, 1};
}

void releaseDomain(uint32_t id) {
  const std::lock_guard lock(domainsMutex);
  const auto found = domains.find(id);
  if (found == domains.end() || --found->second.users > 0) return;
  dds_delete(found->second.entity);
  domains.erase(found);
}

// --- listeners: called by threads of the library

Endpoint& endpointOf(void* argument) { return *static_cast<Endpoint*>(argument); }

void tell(void* argument, Event event) {
  Endpoint& endpoint = endpointOf(argument);
  event.id = endpoint.id;
  endpoint.owner->push(std::move(event));
}

void tellTotal(void* argument, Event::Kind kind, uint32_t total) {
  Event event{kind};
  event.count = total;
  tell(argument, std::move(event));
}

void tellMatch(void* argument, int32_t change, dds_instance_handle_t peer) {
  if (change == 0) return;
  Event event{change > 0 ? Event::Kind::matched : Event::Kind::unmatched};
  event.handle = peer;
  tell(argument, std::move(event));
}

void tellIncompatible(void* argument, uint32_t total, uint32_t policy) {
  Event event{Event::Kind::incompatibleQos};
  event.count = total;
  event.policy = policy;
  tell(argument, std::move(event));
}

void onData(dds_entity_t, void* argument) { endpointOf(argument).owner->pushReady(endpointOf(argument)); }

dds_listener_t* listenerFor(Endpoint& endpoint) {
  dds_listener_t* listener = dds_create_listener(&endpoint);
  if (endpoint.kind == EndpointKind::writer) {
    dds_lset_publication_matched(listener, [](dds_entity_t, dds_publication_matched_status_t status, void* arg) {
      tellMatch(arg, status.current_count_change, status.last_subscription_handle);
    });
    dds_lset_offered_incompatible_qos(
        listener, [](dds_entity_t, dds_offered_incompatible_qos_status_t status, void* arg) {
          tellIncompatible(arg, status.total_count, status.last_policy_id);
        });
    dds_lset_offered_deadline_missed(
        listener, [](dds_entity_t, dds_offered_deadline_missed_status_t status, void* arg) {
          tellTotal(arg, Event::Kind::deadlineMissed, status.total_count);
        });
    dds_lset_liveliness_lost(listener, [](dds_entity_t, dds_liveliness_lost_status_t status, void* arg) {
      tellTotal(arg, Event::Kind::livelinessLost, status.total_count);
    });
    return listener;
  }
  dds_lset_data_available(listener, onData);
  if (endpoint.kind != EndpointKind::reader) return listener;
  dds_lset_subscription_matched(listener, [](dds_entity_t, dds_subscription_matched_status_t status, void* arg) {
    tellMatch(arg, status.current_count_change, status.last_publication_handle);
  });
  dds_lset_requested_incompatible_qos(
      listener, [](dds_entity_t, dds_requested_incompatible_qos_status_t status, void* arg) {
        tellIncompatible(arg, status.total_count, status.last_policy_id);
      });
  dds_lset_requested_deadline_missed(
      listener, [](dds_entity_t, dds_requested_deadline_missed_status_t status, void* arg) {
        tellTotal(arg, Event::Kind::deadlineMissed, status.total_count);
      });
  dds_lset_liveliness_changed(listener, [](dds_entity_t, dds_liveliness_changed_status_t status, void* arg) {
    if (status.not_alive_count_change > 0) {
      tellTotal(arg, Event::Kind::livelinessLost, status.not_alive_count);
    }
  });
  return listener;
}

}  // namespace

std::string failure(const char* what, dds_return_t code) {
  return std::string(what) + ": " + dds_strretcode(code);
}

Participant::Participant(const ParticipantOptions& options, std::function<void()> wake)
    : domain_(options.domain), wake_(std::move(wake)) {
  acquireDomain(domain_, options.config);
  dds_qos_t* qos = dds_create_qos();
  dds_qset_userdata(qos, options.userData.data(), options.userData.size());
  entity_ = dds_create_participant(domain_, qos, nullptr);
  dds_delete_qos(qos);
  if (entity_ < 0) {
    releaseDomain(domain_);
    throw std::runtime_error(failure("dds_create_participant", entity_));
  }
  dds_guid_t guid;
  dds_get_guid(entity_, &guid);
  memcpy(guid_.data(), guid.v, sizeof guid.v);
  const std::lock_guard lock(logMutex);
  logReaders.insert(this);
  reaper_ = std::thread(&Participant::reap, this);
}

Participant::~Participant() { closeNow(); }

Watcher& Participant::watcher() {
  if (watcher_ == nullptr) watcher_ = std::make_unique<Watcher>(*this);
  return *watcher_;
}

Endpoint& Participant::createWriter(const char* topic, const char* type, const std::string& userData,
                                    const Qos& qos) {
  auto endpoint = std::make_unique<Endpoint>();
  endpoint->kind = EndpointKind::writer;
  Endpoint& result = *endpoint;
  createEntity(std::move(endpoint), topic, type, userData, qos, false);
  return result;
}

Endpoint& Participant::createReader(const char* topic, const char* type, const std::string& userData,
                                    const Qos& qos, bool isKeyed) {
  auto endpoint = std::make_unique<Endpoint>();
  endpoint->kind = EndpointKind::reader;
  Endpoint& result = *endpoint;
  createEntity(std::move(endpoint), topic, type, userData, qos, isKeyed);
  return result;
}

void Participant::createEntity(std::unique_ptr<Endpoint> endpoint, const char* topic, const char* type,
                               const std::string& userData, const Qos& qos, bool isKeyed) {
  endpoint->owner = this;
  endpoint->id = nextId();
  ddsi_sertype* sertype = newOpaqueType(type, isKeyed);
  endpoint->topic = dds_create_topic_sertype(entity_, topic, &sertype, nullptr, nullptr, nullptr);
  if (endpoint->topic < 0) {
    ddsi_sertype_unref(sertype);
    throw std::runtime_error(failure("dds_create_topic", endpoint->topic));
  }
  // Either the one just made or an equal one that was there before; the topic holds it.
  endpoint->type = sertype;
  const bool isWriter = endpoint->kind == EndpointKind::writer;
  dds_qos_t* ddsQos = toDds(qos);
  if (!userData.empty()) dds_qset_userdata(ddsQos, userData.data(), userData.size());
  dds_listener_t* listener = listenerFor(*endpoint);
  // Listeners may be called before this returns; they only know the endpoint by its id.
  endpoint->entity = isWriter ? dds_create_writer(entity_, endpoint->topic, ddsQos, listener)
                              : dds_create_reader(entity_, endpoint->topic, ddsQos, listener);
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
  adopt(std::move(endpoint));
}

Endpoint& Participant::createGraphReader(EndpointKind kind) {
  auto endpoint = std::make_unique<Endpoint>();
  endpoint->owner = this;
  endpoint->id = nextId();
  endpoint->kind = kind;
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
  if (result.kind != EndpointKind::writer) pushReady(result);
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

std::vector<Event> Participant::takeEvents() {
  const std::lock_guard lock(queues_);
  isAwake_ = false;
  pendingLogs_ = 0;
  return std::exchange(events_, {});
}

std::deque<uint32_t> Participant::takeReady() {
  const std::lock_guard lock(queues_);
  return std::exchange(ready_, {});
}

void Participant::push(Event event) {
  {
    const std::lock_guard lock(queues_);
    // What the network makes the library say must not pile up while JavaScript is busy.
    if (event.kind == Event::Kind::log && ++pendingLogs_ > kMaxPendingLogs) return;
    events_.push_back(std::move(event));
    if (std::exchange(isAwake_, true)) return;
  }
  wake_();
}

void Participant::pushReady(Endpoint& endpoint) {
  if (endpoint.isQueued.exchange(true)) return;
  {
    const std::lock_guard lock(queues_);
    ready_.push_back(endpoint.id);
    if (std::exchange(isAwake_, true)) return;
  }
  wake_();
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
    for (const auto& endpoint : removed) destroy(*endpoint);
    lock.lock();
  }
  lock.unlock();
  deleteAll();
  push(Event{Event::Kind::closed});
}

void Participant::destroy(Endpoint& endpoint) {
  dds_delete(endpoint.entity);
  if (endpoint.topic > 0) dds_delete(endpoint.topic);
}

void Participant::deleteAll() {
  {
    const std::lock_guard lock(logMutex);
    logReaders.erase(this);
  }
  if (watcher_ != nullptr) watcher_->stop();
  // Endpoints go with their participant.
  dds_delete(entity_);
  releaseDomain(domain_);
}
