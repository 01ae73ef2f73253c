// The addon as JavaScript sees it: one class, Participant; its endpoints and watches are numbers. See ../native.ts.
#include <node_api.h>

#include <map>
#include <memory>
#include <stdexcept>
#include <string>

#include "participant.h"
#include "values.h"
#include "watch.h"

namespace {

constexpr uint32_t kBatch = 64;

// What JavaScript holds of a participant. It lives until everything is deleted, also when JavaScript drops it before.
struct Binding {
  napi_env env = nullptr;
  napi_ref self = nullptr;
  napi_ref onSample = nullptr;
  napi_ref onEvent = nullptr;
  napi_ref onGraph = nullptr;
  napi_deferred closing = nullptr;
  napi_threadsafe_function wake = nullptr;
  std::unique_ptr<Participant> participant;
  std::map<uint32_t, std::shared_ptr<Watch>> watches;
  bool isClosed = false;
};

napi_value referenced(napi_env env, napi_ref reference) {
  napi_value value = nullptr;
  napi_get_reference_value(env, reference, &value);
  return value;
}

// A callback that throws is an error of ours in TypeScript: it ends the process as any uncaught error does.
void call(Binding& binding, napi_ref callback, size_t count, const napi_value* values) {
  napi_value function = referenced(binding.env, callback), result;
  if (napi_call_function(binding.env, undefined(binding.env), function, count, values, &result) !=
      napi_pending_exception) {
    return;
  }
  napi_value error;
  napi_get_and_clear_last_exception(binding.env, &error);
  napi_fatal_exception(binding.env, error);
}

struct HandleScope {
  explicit HandleScope(napi_env env) : env(env) { napi_open_handle_scope(env, &scope); }
  ~HandleScope() { napi_close_handle_scope(env, scope); }
  HandleScope(const HandleScope&) = delete;
  HandleScope& operator=(const HandleScope&) = delete;
  napi_env env;
  napi_handle_scope scope;
};

// --- from the library to JavaScript

const char* nameOf(Event::Kind kind) {
  switch (kind) {
    case Event::Kind::matched: case Event::Kind::watchMatched: return "matched";
    case Event::Kind::unmatched: case Event::Kind::watchUnmatched: return "unmatched";
    case Event::Kind::incompatibleQos: return "incompatibleQos";
    case Event::Kind::deadlineMissed: return "deadlineMissed";
    case Event::Kind::livelinessLost: return "livelinessLost";
    case Event::Kind::watchAlive: return "alive";
    case Event::Kind::watchNotAlive: return "notAlive";
    case Event::Kind::watchHeard: return "heard";
    case Event::Kind::watchSilent: return "silent";
    case Event::Kind::log: return "log";
    case Event::Kind::closed: return "closed";
  }
  return "";
}

const char* policyName(uint32_t policy) {
  switch (policy) {
    case DDS_DURABILITY_QOS_POLICY_ID: return "durability";
    case DDS_DEADLINE_QOS_POLICY_ID: return "deadline";
    case DDS_LATENCYBUDGET_QOS_POLICY_ID: return "latency budget";
    case DDS_OWNERSHIP_QOS_POLICY_ID: return "ownership";
    case DDS_LIVELINESS_QOS_POLICY_ID: return "liveliness";
    case DDS_RELIABILITY_QOS_POLICY_ID: return "reliability";
    case DDS_DESTINATIONORDER_QOS_POLICY_ID: return "destination order";
    case DDS_PARTITION_QOS_POLICY_ID: return "partition";
    case DDS_DATA_REPRESENTATION_QOS_POLICY_ID: return "data representation";
    default: return "unknown";
  }
}

// False when the peer came and went before it was looked at.
bool resolvePeer(Endpoint& endpoint, const Event& event, Guid& peer) {
  if (event.kind == Event::Kind::unmatched) {
    const auto found = endpoint.peers.find(event.handle);
    if (found == endpoint.peers.end()) return false;
    peer = found->second;
    endpoint.peers.erase(found);
    return true;
  }
  dds_builtintopic_endpoint_t* data = endpoint.kind == EndpointKind::writer
                                          ? dds_get_matched_subscription_data(endpoint.entity, event.handle)
                                          : dds_get_matched_publication_data(endpoint.entity, event.handle);
  if (data == nullptr) return false;
  memcpy(peer.data(), data->key.v, peer.size());
  dds_builtintopic_free_endpoint(data);
  endpoint.peers[event.handle] = peer;
  return true;
}

void deliver(Binding& binding, const Event& event) {
  const napi_env env = binding.env;
  const HandleScope scope(env);
  napi_value values[4] = {toJs(env, static_cast<double>(event.id)), toJs(env, std::string(nameOf(event.kind))),
                          undefined(env), undefined(env)};
  switch (event.kind) {
    case Event::Kind::matched:
    case Event::Kind::unmatched: {
      Endpoint* endpoint = binding.participant->find(event.id);
      Guid peer;
      if (endpoint == nullptr || !resolvePeer(*endpoint, event, peer)) return;
      values[2] = toJs(env, peer);
      break;
    }
    case Event::Kind::incompatibleQos:
      values[3] = toJs(env, std::string(policyName(event.policy)));
      [[fallthrough]];
    case Event::Kind::deadlineMissed:
    case Event::Kind::livelinessLost:
      if (binding.participant->find(event.id) == nullptr) return;
      values[2] = toJs(env, static_cast<double>(event.count));
      break;
    case Event::Kind::watchMatched:
    case Event::Kind::watchUnmatched:
    case Event::Kind::watchAlive:
    case Event::Kind::watchNotAlive:
    case Event::Kind::watchHeard:
      if (binding.watches.count(event.id) == 0) return;
      values[2] = msToJs(env, event.atNs);
      values[3] = toJs(env, event.guid);
      break;
    case Event::Kind::watchSilent:
      if (binding.watches.count(event.id) == 0) return;
      values[2] = msToJs(env, event.atNs);
      if (event.lastNs != 0) values[3] = msToJs(env, event.lastNs);
      break;
    case Event::Kind::log:
      values[2] = toJs(env, event.text);
      break;
    case Event::Kind::closed:
      napi_resolve_deferred(env, binding.closing, undefined(env));
      napi_release_threadsafe_function(binding.wake, napi_tsfn_release);
      return;
  }
  call(binding, binding.onEvent, 4, values);
}

void deliverSample(Binding& binding, uint32_t id, const Sample& sample, int64_t sourceNs) {
  const napi_env env = binding.env;
  const HandleScope scope(env);
  napi_value values[8] = {toJs(env, static_cast<double>(id)), undefined(env), toJs(env, sample.writer),
                          toJs(env, static_cast<double>(sample.sequence)), msToJs(env, sourceNs),
                          msToJs(env, sample.receivedNs), undefined(env), undefined(env)};
  void* copy;
  if (napi_create_buffer_copy(env, sample.size, sample.bytes(), &copy, &values[1]) != napi_ok) return;
  if (sample.hasRelated) {
    values[6] = toJs(env, sample.related.writer);
    values[7] = toJs(env, static_cast<double>(sample.related.sequence));
  }
  call(binding, binding.onSample, 8, values);
}

// Returns whether there may be more.
bool drainReader(Binding& binding, uint32_t id, dds_entity_t reader) {
  ddsi_serdata* data[kBatch];
  dds_sample_info_t infos[kBatch];
  const dds_return_t count = dds_takecdr(reader, data, kBatch, infos, DDS_ANY_STATE);
  for (dds_return_t i = 0; i < count; i++) {
    // A callback may have removed the reader, or closed all.
    const bool isWanted = infos[i].valid_data && !binding.isClosed && binding.participant->find(id) != nullptr;
    if (isWanted) {
      deliverSample(binding, id, *reinterpret_cast<Sample*>(data[i]), infos[i].source_timestamp);
    }
    ddsi_serdata_unref(data[i]);
  }
  return count == static_cast<dds_return_t>(kBatch);
}

napi_value describeParticipant(napi_env env, const dds_builtintopic_participant_t& participant) {
  napi_value object, properties;
  napi_create_object(env, &object);
  napi_create_object(env, &properties);
  set(env, object, "properties", properties);
  uint32_t count = 0;
  char** names = nullptr;
  if (dds_qget_propnames(participant.qos, &count, &names)) {
    for (uint32_t i = 0; i < count; i++) {
      char* text = nullptr;
      if (dds_qget_prop(participant.qos, names[i], &text)) {
        napi_set_property(env, properties, toJs(env, std::string(names[i])), toJs(env, std::string(text)));
        dds_free(text);
      }
      dds_free(names[i]);
    }
    dds_free(names);
  }
  return object;
}

napi_value describeEndpoint(napi_env env, const dds_builtintopic_endpoint_t& endpoint, bool isWriter) {
  napi_value object;
  napi_create_object(env, &object);
  set(env, object, "topic", toJs(env, std::string(endpoint.topic_name)));
  set(env, object, "type", toJs(env, std::string(endpoint.type_name)));
  set(env, object, "qos", toJs(env, fromDds(endpoint.qos, isWriter)));
  return object;
}

void describeUserData(napi_env env, napi_value object, const dds_qos_t* qos) {
  void* bytes = nullptr;
  size_t size = 0;
  if (!dds_qget_userdata(qos, &bytes, &size)) return;
  set(env, object, "userData", latin1ToJs(env, bytes, size));
  dds_free(bytes);
}

// As onGraph(kind, gid, description or undefined when it is gone).
bool drainGraph(Binding& binding, const Endpoint& endpoint) {
  const napi_env env = binding.env;
  const EndpointKind kind = endpoint.kind;
  const dds_entity_t reader = endpoint.entity;
  const char* name = kind == EndpointKind::participants   ? "participant"
                     : kind == EndpointKind::publications ? "publisher"
                                                          : "subscription";
  void* samples[kBatch] = {};
  dds_sample_info_t infos[kBatch];
  const dds_return_t count = dds_take(reader, samples, infos, kBatch, kBatch);
  for (dds_return_t i = 0; i < count && !binding.isClosed; i++) {
    const HandleScope scope(env);
    napi_value values[3] = {toJs(env, std::string(name)), undefined(env), undefined(env)};
    Guid guid;
    const bool isAlive = infos[i].valid_data && infos[i].instance_state == DDS_IST_ALIVE;
    if (kind == EndpointKind::participants) {
      const auto& participant = *static_cast<const dds_builtintopic_participant_t*>(samples[i]);
      memcpy(guid.data(), participant.key.v, guid.size());
      if (isAlive) {
        values[2] = describeParticipant(env, participant);
        describeUserData(env, values[2], participant.qos);
        set(env, values[2], "locators", toJs(env, binding.participant->locators(guid)));
      }
    } else {
      const auto& other = *static_cast<const dds_builtintopic_endpoint_t*>(samples[i]);
      memcpy(guid.data(), other.key.v, guid.size());
      if (isAlive) {
        values[2] = describeEndpoint(env, other, kind == EndpointKind::publications);
        describeUserData(env, values[2], other.qos);
      }
    }
    values[1] = toJs(env, guid);
    call(binding, binding.onGraph, 3, values);
  }
  if (count > 0) dds_return_loan(reader, samples, count);
  return count == static_cast<dds_return_t>(kBatch);
}

// Called by the event loop after any number of wake-ups.
void drain(napi_env env, napi_value, void* context, void*) {
  if (env == nullptr) return;
  auto& binding = *static_cast<Binding*>(context);
  for (const Event& event : binding.participant->takeEvents()) {
    if (!binding.isClosed || event.kind == Event::Kind::closed) deliver(binding, event);
  }
  for (const uint32_t id : binding.participant->takeReady()) {
    if (binding.isClosed) return;
    Endpoint* endpoint = binding.participant->find(id);
    if (endpoint == nullptr) continue;
    // Before it is emptied: what comes meanwhile queues it again.
    endpoint->isQueued = false;
    const bool hasMore = endpoint->kind == EndpointKind::reader ? drainReader(binding, id, endpoint->entity)
                                                                : drainGraph(binding, *endpoint);
    endpoint = binding.participant->find(id);
    // After the event loop had its turn.
    if (hasMore && endpoint != nullptr && !binding.isClosed) binding.participant->pushReady(*endpoint);
  }
}

// --- from JavaScript to the library

struct Call {
  Call(napi_env env, napi_callback_info info) : env(env) {
    size_t count = kMax;
    for (napi_value& value : values) value = undefined(env);
    napi_get_cb_info(env, info, &count, values, &self, nullptr);
    void* native = nullptr;
    napi_unwrap(env, self, &native);
    binding = static_cast<Binding*>(native);
  }
  static constexpr size_t kMax = 8;
  napi_env env;
  napi_value values[kMax];
  napi_value self = nullptr;
  Binding* binding = nullptr;

  std::string text(size_t index) const { return textOf(env, values[index]); }
  uint32_t id(size_t index) const { return static_cast<uint32_t>(numberOf(env, values[index])); }
  Participant& participant() const {
    if (binding == nullptr || binding->isClosed) throw std::runtime_error("the transport is closed");
    return *binding->participant;
  }
};

template <napi_value (*method)(const Call&)>
napi_value guarded(napi_env env, napi_callback_info info) {
  try {
    return method(Call(env, info));
  } catch (const std::exception& error) {
    napi_throw_error(env, nullptr, error.what());
    return nullptr;
  }
}

napi_value endpointToJs(const Call& call, const Endpoint& endpoint) {
  napi_value object;
  napi_create_object(call.env, &object);
  set(call.env, object, "id", toJs(call.env, static_cast<double>(endpoint.id)));
  set(call.env, object, "gid", toJs(call.env, endpoint.guid));
  return object;
}

// createWriter(topic, type, userData, qos)
napi_value createWriter(const Call& call) {
  return endpointToJs(call, call.participant().createWriter(call.text(0).c_str(), call.text(1).c_str(),
                                                            call.text(2), qosOf(call.env, call.values[3])));
}

// createReader(topic, type, userData, qos, isKeyed)
napi_value createReader(const Call& call) {
  return endpointToJs(call, call.participant().createReader(call.text(0).c_str(), call.text(1).c_str(),
                                                            call.text(2), qosOf(call.env, call.values[3]),
                                                            truthOf(call.env, call.values[4])));
}

napi_value watchGraph(const Call& call) {
  Participant& participant = call.participant();
  participant.createGraphReader(EndpointKind::participants);
  participant.createGraphReader(EndpointKind::publications);
  participant.createGraphReader(EndpointKind::subscriptions);
  return nullptr;
}

// write(id, bytes, relatedWriter, relatedSequence): the sample's sequence number, or 0 when it was not taken.
napi_value write(const Call& call) {
  Endpoint* endpoint = call.participant().find(call.id(0));
  if (endpoint == nullptr || endpoint->kind != EndpointKind::writer) throw std::runtime_error("the publisher is closed");
  const uint8_t* bytes;
  size_t size;
  if (!bytesOf(call.env, call.values[1], &bytes, &size) || size < 4 || size > UINT32_MAX / 2) {
    throw std::runtime_error("a sample is a Uint8Array of 4 bytes or more, as CDR begins with a header of 4");
  }
  Sample* sample = newSample(endpoint->type, bytes, static_cast<uint32_t>(size));
  if (sample == nullptr) throw std::runtime_error("no memory for the sample");
  sample->writer = endpoint->guid;
  sample->sequence = endpoint->sequence + 1;
  sample->hasRelated = guidOfHex(call.text(2), sample->related.writer);
  if (sample->hasRelated) sample->related.sequence = static_cast<int64_t>(numberOf(call.env, call.values[3]));
  const dds_return_t code = dds_writecdr(endpoint->entity, &sample->base);
  if (code == DDS_RETCODE_OK) return toJs(call.env, static_cast<double>(++endpoint->sequence));
  // A reliable writer that keeps all and whose readers do not keep up.
  if (code == DDS_RETCODE_TIMEOUT) return toJs(call.env, 0.0);
  throw std::runtime_error(failure("dds_writecdr", code));
}

napi_value assertLiveliness(const Call& call) {
  Endpoint* endpoint = call.participant().find(call.id(0));
  if (endpoint != nullptr) dds_assert_liveliness(endpoint->entity);
  return nullptr;
}

// Of endpoints and watches. Nothing when all is closed already.
napi_value removeOne(const Call& call) {
  if (call.binding->isClosed) return nullptr;
  const uint32_t id = call.id(0);
  call.participant().remove(id);
  const auto watch = call.binding->watches.find(id);
  if (watch != call.binding->watches.end()) {
    watch->second->close();
    call.participant().watcher().poke(watch->second);
    call.binding->watches.erase(watch);
  }
  return nullptr;
}

// watch(topic, maxSilenceMs, livelinessLeaseMs, windowMs): id
napi_value watchTopic(const Call& call) {
  constexpr double kNsPerMs = 1e6;
  Participant& participant = call.participant();
  WatchOptions options;
  options.topic = call.text(0);
  options.maxSilenceNs = static_cast<int64_t>(numberOf(call.env, call.values[1]) * kNsPerMs);
  if (const auto lease = optionalNumberOf(call.env, call.values[2])) {
    options.leaseNs = static_cast<int64_t>(*lease * kNsPerMs);
  }
  if (const auto window = optionalNumberOf(call.env, call.values[3])) {
    options.windowNs = static_cast<int64_t>(*window * kNsPerMs);
  }
  const uint32_t id = participant.nextId();
  call.binding->watches[id] = participant.watcher().add(id, std::move(options));
  return toJs(call.env, static_cast<double>(id));
}

Watch& watchOf(const Call& call) {
  call.participant();
  const auto found = call.binding->watches.find(call.id(0));
  if (found == call.binding->watches.end()) throw std::runtime_error("the watch is closed");
  return *found->second;
}

// watchAccept(id, array of gids or undefined)
napi_value watchAccept(const Call& call) {
  Watch& watch = watchOf(call);
  bool isArray = false;
  napi_is_array(call.env, call.values[1], &isArray);
  if (!isArray) {
    watch.accept(std::nullopt);
    return nullptr;
  }
  GuidSet accepted;
  uint32_t count = 0;
  napi_get_array_length(call.env, call.values[1], &count);
  for (uint32_t i = 0; i < count; i++) {
    napi_value element;
    Guid guid;
    napi_get_element(call.env, call.values[1], i, &element);
    if (!guidOfHex(textOf(call.env, element), guid)) throw std::runtime_error("a gid is 32 hex digits");
    accepted.insert(guid);
  }
  watch.accept(std::move(accepted));
  return nullptr;
}

napi_value watchStats(const Call& call) {
  const WatchStats stats = watchOf(call).stats();
  napi_value object;
  napi_create_object(call.env, &object);
  set(call.env, object, "samples", toJs(call.env, static_cast<double>(stats.samples)));
  set(call.env, object, "rateHz", toJs(call.env, stats.rateHz));
  if (stats.lastNs != 0) {
    set(call.env, object, "lastSampleMs", msToJs(call.env, stats.lastNs));
    set(call.env, object, "lastSourceTimeMs", msToJs(call.env, stats.lastSourceNs));
  }
  if (!stats.problem.empty()) set(call.env, object, "problem", toJs(call.env, stats.problem));
  napi_value gaps;
  napi_create_object(call.env, &gaps);
  set(call.env, gaps, "count", toJs(call.env, static_cast<double>(stats.gaps.count())));
  set(call.env, gaps, "p50Ms", msToJs(call.env, stats.gaps.percentileNs(0.5)));
  set(call.env, gaps, "p99Ms", msToJs(call.env, stats.gaps.percentileNs(0.99)));
  set(call.env, gaps, "maxMs", msToJs(call.env, stats.gaps.maxNs()));
  set(call.env, object, "gaps", gaps);
  return object;
}

napi_value watchWriters(const Call& call) {
  napi_value array;
  napi_create_array(call.env, &array);
  uint32_t index = 0;
  for (const WatchedWriter& writer : watchOf(call).writers()) {
    napi_value object;
    napi_create_object(call.env, &object);
    set(call.env, object, "gid", toJs(call.env, writer.guid));
    set(call.env, object, "type", toJs(call.env, writer.type));
    set(call.env, object, "qos", toJs(call.env, writer.qos));
    set(call.env, object, "alive", toJs(call.env, writer.isAlive));
    set(call.env, object, "isAccepted", toJs(call.env, writer.isAccepted));
    set(call.env, object, "samples", toJs(call.env, static_cast<double>(writer.samples)));
    if (writer.lastNs != 0) set(call.env, object, "lastSampleMs", msToJs(call.env, writer.lastNs));
    napi_set_element(call.env, array, index++, object);
  }
  return array;
}

napi_value prefix(const Call& call) {
  return toJs(call.env, hexOf(call.participant().guid().data(), 12));
}

napi_value close(const Call& call) {
  call.participant();
  napi_value promise;
  napi_create_promise(call.env, &call.binding->closing, &promise);
  call.binding->isClosed = true;
  call.binding->participant->beginClose();
  return promise;
}

// --- life of a binding

// The environment ends with the participant open.
void onEnvironmentEnd(void* data) {
  auto& binding = *static_cast<Binding*>(data);
  binding.isClosed = true;
  binding.participant->closeNow();
}

// After the last wake-up: JavaScript's references go, and with the object the binding.
void onWakeReleased(napi_env env, void* data, void*) {
  auto* binding = static_cast<Binding*>(data);
  napi_remove_env_cleanup_hook(env, onEnvironmentEnd, binding);
  for (napi_ref reference : {binding->onSample, binding->onEvent, binding->onGraph}) {
    napi_delete_reference(env, reference);
  }
  // From now on the object may be collected.
  napi_reference_unref(env, binding->self, nullptr);
}

void onCollected(napi_env env, void* data, void*) {
  auto* binding = static_cast<Binding*>(data);
  if (binding->self != nullptr) napi_delete_reference(env, binding->self);
  delete binding;
}

// new Participant(domainId, configuration, userData, onSample, onEvent, onGraph)
napi_value construct(const Call& call) {
  const napi_env env = call.env;
  auto binding = std::make_unique<Binding>();
  Binding* raw = binding.get();
  binding->env = env;
  napi_create_threadsafe_function(env, nullptr, nullptr, toJs(env, std::string("roslet-dds")), 0, 1, raw,
                                  onWakeReleased, raw, drain, &binding->wake);
  napi_create_reference(env, call.values[3], 1, &raw->onSample);
  napi_create_reference(env, call.values[4], 1, &raw->onEvent);
  napi_create_reference(env, call.values[5], 1, &raw->onGraph);
  napi_wrap(env, call.self, raw, onCollected, nullptr, &raw->self);
  napi_reference_ref(env, raw->self, nullptr);
  binding.release();
  ParticipantOptions options;
  options.domain = call.id(0);
  options.config = call.text(1);
  options.userData = call.text(2);
  try {
    raw->participant = std::make_unique<Participant>(
        options, [wake = raw->wake] { napi_call_threadsafe_function(wake, nullptr, napi_tsfn_nonblocking); });
  } catch (...) {
    raw->isClosed = true;
    napi_release_threadsafe_function(raw->wake, napi_tsfn_release);
    throw;
  }
  napi_add_env_cleanup_hook(env, onEnvironmentEnd, raw);
  return call.self;
}

napi_value initialize(napi_env env, napi_value exports) {
  const auto method = [](const char* name, napi_callback callback) {
    return napi_property_descriptor{name, nullptr, callback, nullptr, nullptr, nullptr, napi_default_method, nullptr};
  };
  const napi_property_descriptor methods[] = {
      method("prefix", guarded<prefix>),
      method("createWriter", guarded<createWriter>),
      method("createReader", guarded<createReader>),
      method("watchGraph", guarded<watchGraph>),
      method("write", guarded<write>),
      method("assertLiveliness", guarded<assertLiveliness>),
      method("remove", guarded<removeOne>),
      method("watch", guarded<watchTopic>),
      method("watchAccept", guarded<watchAccept>),
      method("watchStats", guarded<watchStats>),
      method("watchWriters", guarded<watchWriters>),
      method("close", guarded<close>),
  };
  napi_value participant;
  napi_define_class(env, "Participant", NAPI_AUTO_LENGTH, guarded<construct>, nullptr,
                    sizeof methods / sizeof methods[0], methods, &participant);
  set(env, exports, "Participant", participant);
  set(env, exports, "hasRelatedSampleIdentity", toJs(env, enableRelatedSampleIdentity()));
  set(env, exports, "version", toJs(env, std::string(ROSLET_CYCLONEDDS_VERSION)));
  return exports;
}

}  // namespace

NAPI_MODULE(roslet_dds, initialize)
