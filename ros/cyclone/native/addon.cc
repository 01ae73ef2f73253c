// The addon as JavaScript sees it: one class, Participant; its endpoints and watches are numbers. See ../native.ts.
#include <node_api.h>

#include <memory>
#include <string>
#include <vector>

#include "call.h"
#include "delivery.h"
#include "endpoint-methods.h"
#include "watch-methods.h"

namespace {

napi_value watchGraph(const Call& call) {
  Participant& participant = call.participant();
  participant.createGraphReader(EndpointKind::participants);
  participant.createGraphReader(EndpointKind::publications);
  participant.createGraphReader(EndpointKind::subscriptions);
  return nullptr;
}

// Of endpoints and watches. Nothing when all is closed already.
napi_value removeOne(const Call& call) {
  if (call.binding->isClosed) return nullptr;
  const uint32_t id = call.id(0);
  call.participant().remove(id);
  const auto watch = call.binding->watches.find(id);
  if (watch != call.binding->watches.end()) {
    call.participant().watcher().remove(watch->second);
    call.binding->watches.erase(watch);
  }
  return nullptr;
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
  std::vector<napi_property_descriptor> methods = {
      methodOf<prefix>("prefix"),
      methodOf<watchGraph>("watchGraph"),
      methodOf<removeOne>("remove"),
      methodOf<close>("close"),
  };
  for (const auto& more : {endpointMethods(), watchMethods()}) methods.insert(methods.end(), more.begin(), more.end());
  napi_value participant;
  napi_define_class(env, "Participant", NAPI_AUTO_LENGTH, guarded<construct>, nullptr, methods.size(), methods.data(),
                    &participant);
  set(env, exports, "Participant", participant);
  set(env, exports, "hasRelatedSampleIdentity", toJs(env, enableRelatedSampleIdentity()));
  set(env, exports, "version", toJs(env, std::string(ROSLET_CYCLONEDDS_VERSION)));
  return exports;
}

}  // namespace

NAPI_MODULE(roslet_dds, initialize)
