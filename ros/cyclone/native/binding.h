// What JavaScript holds of a participant, and how its callbacks are called.
#pragma once

#include <node_api.h>

#include <map>
#include <memory>

#include "participant.h"
#include "watch.h"

// Lives until everything is deleted, also when JavaScript drops it before.
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

// A callback that throws is an error of ours in TypeScript: it ends the process as any uncaught error does.
void call(const Binding& binding, napi_ref callback, size_t count, const napi_value* values);

struct HandleScope {
  explicit HandleScope(napi_env env) : env(env) { napi_open_handle_scope(env, &scope); }
  ~HandleScope() { napi_close_handle_scope(env, scope); }
  HandleScope(const HandleScope&) = delete;
  HandleScope& operator=(const HandleScope&) = delete;
  napi_env env;
  napi_handle_scope scope;
};
