// From JavaScript to the library: a call of a method of the class Participant.
#pragma once

#include <node_api.h>

#include <stdexcept>
#include <string>

#include "binding.h"
#include "values.h"

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

// What it throws is thrown in JavaScript.
template <napi_value (*method)(const Call&)>
napi_value guarded(napi_env env, napi_callback_info info) {
  try {
    return method(Call(env, info));
  } catch (const std::exception& error) {
    napi_throw_error(env, nullptr, error.what());
    return nullptr;
  }
}

template <napi_value (*method)(const Call&)>
napi_property_descriptor methodOf(const char* name) {
  return {name, nullptr, guarded<method>, nullptr, nullptr, nullptr, napi_default_method, nullptr};
}
