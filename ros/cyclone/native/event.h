// What threads of the library have to tell to JavaScript.
#pragma once

#include <string>

#include "dds/dds.h"
#include "sample.h"

struct Event {
  enum class Kind {
    // Of endpoints: `handle` is the peer's, or `count` the total.
    matched, unmatched, incompatibleQos, deadlineMissed, livelinessLost,
    // Of a watch, with the time when it happened.
    watchMatched, watchUnmatched, watchAlive, watchNotAlive, watchHeard, watchSilent,
    // A warning of the library.
    log,
    // Everything is deleted.
    closed,
  };
  Kind kind;
  uint32_t id = 0;
  dds_instance_handle_t handle = 0;
  uint32_t count = 0;
  uint32_t policy = 0;
  Guid guid{};
  int64_t atNs = 0;
  // Of watchSilent; 0: there was none.
  int64_t lastNs = 0;
  std::string text{};
};
