#include "graph.h"

#include "values.h"

namespace {

constexpr uint32_t kBatch = 64;

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

}  // namespace

// As onGraph(kind, gid, description or undefined when it is gone).
bool drainGraph(const Binding& binding, const Endpoint& endpoint) {
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
