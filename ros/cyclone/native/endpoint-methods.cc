#include "endpoint-methods.h"

#include "call.h"
#include "failure.h"

namespace {

napi_value endpointToJs(const Call& call, const Endpoint& endpoint) {
  napi_value object;
  napi_create_object(call.env, &object);
  set(call.env, object, "id", toJs(call.env, static_cast<double>(endpoint.id)));
  set(call.env, object, "gid", toJs(call.env, endpoint.guid));
  return object;
}

EndpointOptions optionsOf(const Call& call) {
  EndpointOptions options;
  options.topic = call.text(0);
  options.type = call.text(1);
  options.userData = call.text(2);
  options.qos = qosOf(call.env, call.values[3]);
  options.isKeyed = truthOf(call.env, call.values[4]);
  return options;
}

// createWriter(topic, type, userData, qos)
napi_value createWriter(const Call& call) {
  return endpointToJs(call, call.participant().createWriter(optionsOf(call)));
}

// createReader(topic, type, userData, qos, isKeyed)
napi_value createReader(const Call& call) {
  return endpointToJs(call, call.participant().createReader(optionsOf(call)));
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

}  // namespace

std::vector<napi_property_descriptor> endpointMethods() {
  return {
      methodOf<createWriter>("createWriter"),
      methodOf<createReader>("createReader"),
      methodOf<write>("write"),
      methodOf<assertLiveliness>("assertLiveliness"),
  };
}
