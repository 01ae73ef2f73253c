#include "delivery.h"

#include "binding.h"
#include "graph.h"
#include "values.h"

namespace {

constexpr uint32_t kBatch = 64;

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

}  // namespace

void drain(napi_env env, napi_value, void* context, void*) {
  if (env == nullptr) return;
  auto& binding = *static_cast<Binding*>(context);
  Mailbox& mailbox = binding.participant->mailbox();
  for (const Event& event : mailbox.takeEvents()) {
    if (!binding.isClosed || event.kind == Event::Kind::closed) deliver(binding, event);
  }
  for (const uint32_t id : mailbox.takeReady()) {
    if (binding.isClosed) return;
    Endpoint* endpoint = binding.participant->find(id);
    if (endpoint == nullptr) continue;
    // Before it is emptied: what comes meanwhile queues it again.
    endpoint->isQueued = false;
    const bool hasMore = endpoint->kind == EndpointKind::reader ? drainReader(binding, id, endpoint->entity)
                                                                : drainGraph(binding, *endpoint);
    endpoint = binding.participant->find(id);
    // After the event loop had its turn.
    if (hasMore && endpoint != nullptr && !binding.isClosed) mailbox.pushReady(*endpoint);
  }
}
