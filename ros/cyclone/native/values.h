// Between JavaScript values and ours. A call that fails leaves an exception pending in JavaScript.
#pragma once

#include <node_api.h>

#include <optional>
#include <string>

#include "qos.h"
#include "sample.h"

napi_value toJs(napi_env env, const std::string& text);
napi_value toJs(napi_env env, double number);
napi_value toJs(napi_env env, bool truth);
napi_value toJs(napi_env env, const Guid& guid);
// As the port's QosProfile.
napi_value toJs(napi_env env, const Qos& qos);
napi_value undefined(napi_env env);
// Milliseconds of a time in nanoseconds.
napi_value msToJs(napi_env env, int64_t ns);
// USER_DATA and the like: each byte a character.
napi_value latin1ToJs(napi_env env, const void* bytes, size_t size);

void set(napi_env env, napi_value object, const char* name, napi_value value);
// undefined when the property is not there.
napi_value get(napi_env env, napi_value object, const char* name);

// Empty, 0, false where the value is of another type.
std::string textOf(napi_env env, napi_value value);
double numberOf(napi_env env, napi_value value);
bool truthOf(napi_env env, napi_value value);
std::optional<double> optionalNumberOf(napi_env env, napi_value value);
bool bytesOf(napi_env env, napi_value value, const uint8_t** bytes, size_t* size);
Qos qosOf(napi_env env, napi_value profile);
