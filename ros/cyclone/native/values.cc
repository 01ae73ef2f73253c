#include "values.h"

#include <algorithm>

namespace {

constexpr double kNsPerMs = 1e6;

void setPeriod(napi_env env, napi_value object, const char* name, int64_t ns) {
  // Vendors write infinity in several ways; a century is one.
  constexpr int64_t kCenturyNs = int64_t{100} * 365 * 86400 * 1'000'000'000;
  if (ns < kCenturyNs) set(env, object, name, msToJs(env, ns));
}

int64_t periodOf(napi_env env, napi_value profile, const char* name) {
  const auto ms = optionalNumberOf(env, get(env, profile, name));
  return ms ? static_cast<int64_t>(*ms * kNsPerMs) : DDS_INFINITY;
}

}  // namespace

napi_value toJs(napi_env env, const std::string& text) {
  napi_value value;
  napi_create_string_utf8(env, text.data(), text.size(), &value);
  return value;
}

napi_value toJs(napi_env env, double number) {
  napi_value value;
  napi_create_double(env, number, &value);
  return value;
}

napi_value toJs(napi_env env, bool truth) {
  napi_value value;
  napi_get_boolean(env, truth, &value);
  return value;
}

napi_value toJs(napi_env env, const Guid& guid) {
  const std::string hex = hexOf(guid.data(), guid.size());
  return latin1ToJs(env, hex.data(), hex.size());
}

napi_value toJs(napi_env env, const Qos& qos) {
  napi_value profile;
  napi_create_object(env, &profile);
  set(env, profile, "reliability", toJs(env, std::string(qos.isReliable ? "reliable" : "best_effort")));
  set(env, profile, "durability", toJs(env, std::string(qos.isTransientLocal ? "transient_local" : "volatile")));
  set(env, profile, "history", toJs(env, std::string(qos.keepsAll ? "keep_all" : "keep_last")));
  set(env, profile, "depth", toJs(env, static_cast<double>(qos.depth)));
  set(env, profile, "liveliness", toJs(env, std::string(qos.isManualByTopic ? "manual_by_topic" : "automatic")));
  setPeriod(env, profile, "deadlineMs", qos.deadline);
  setPeriod(env, profile, "lifespanMs", qos.lifespan);
  setPeriod(env, profile, "livelinessLeaseMs", qos.lease);
  return profile;
}

napi_value undefined(napi_env env) {
  napi_value value;
  napi_get_undefined(env, &value);
  return value;
}

napi_value msToJs(napi_env env, int64_t ns) { return toJs(env, static_cast<double>(ns) / kNsPerMs); }

napi_value latin1ToJs(napi_env env, const void* bytes, size_t size) {
  napi_value value;
  napi_create_string_latin1(env, static_cast<const char*>(bytes), size, &value);
  return value;
}

void set(napi_env env, napi_value object, const char* name, napi_value value) {
  napi_set_named_property(env, object, name, value);
}

napi_value get(napi_env env, napi_value object, const char* name) {
  napi_value value;
  if (napi_get_named_property(env, object, name, &value) != napi_ok) return undefined(env);
  return value;
}

std::string textOf(napi_env env, napi_value value) {
  size_t size = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &size) != napi_ok) return {};
  std::string text(size, '\0');
  napi_get_value_string_utf8(env, value, text.data(), size + 1, &size);
  return text;
}

std::optional<double> optionalNumberOf(napi_env env, napi_value value) {
  double number = 0;
  if (napi_get_value_double(env, value, &number) != napi_ok) return std::nullopt;
  return number;
}

double numberOf(napi_env env, napi_value value) { return optionalNumberOf(env, value).value_or(0); }

bool truthOf(napi_env env, napi_value value) {
  bool truth = false;
  return napi_get_value_bool(env, value, &truth) == napi_ok && truth;
}

bool bytesOf(napi_env env, napi_value value, const uint8_t** bytes, size_t* size) {
  bool isTyped = false;
  napi_is_typedarray(env, value, &isTyped);
  napi_typedarray_type type;
  void* data = nullptr;
  if (!isTyped || napi_get_typedarray_info(env, value, &type, size, &data, nullptr, nullptr) != napi_ok ||
      type != napi_uint8_array) {
    return false;
  }
  *bytes = static_cast<const uint8_t*>(data);
  return true;
}

Qos qosOf(napi_env env, napi_value profile) {
  Qos qos;
  qos.isReliable = textOf(env, get(env, profile, "reliability")) == "reliable";
  qos.isTransientLocal = textOf(env, get(env, profile, "durability")) == "transient_local";
  qos.keepsAll = textOf(env, get(env, profile, "history")) == "keep_all";
  qos.depth = std::max(1, static_cast<int32_t>(numberOf(env, get(env, profile, "depth"))));
  qos.isManualByTopic = textOf(env, get(env, profile, "liveliness")) == "manual_by_topic";
  qos.deadline = periodOf(env, profile, "deadlineMs");
  qos.lifespan = periodOf(env, profile, "lifespanMs");
  qos.lease = periodOf(env, profile, "livelinessLeaseMs");
  return qos;
}
