#include "watch-methods.h"

#include "call.h"

namespace {

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

}  // namespace

std::vector<napi_property_descriptor> watchMethods() {
  return {
      methodOf<watchTopic>("watch"),
      methodOf<watchAccept>("watchAccept"),
      methodOf<watchStats>("watchStats"),
      methodOf<watchWriters>("watchWriters"),
  };
}
