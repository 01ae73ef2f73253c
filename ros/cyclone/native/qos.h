// Policies as ROS 2 counts them.
#pragma once

#include <cstdint>

#include "dds/dds.h"

struct Qos {
  bool isReliable = true;
  bool isTransientLocal = false;
  bool keepsAll = false;
  int32_t depth = 1;
  bool isManualByTopic = false;
  // Nanoseconds; DDS_INFINITY when not asked for.
  int64_t deadline = DDS_INFINITY;
  int64_t lifespan = DDS_INFINITY;
  int64_t lease = DDS_INFINITY;
};

// To be deleted by dds_delete_qos.
dds_qos_t* toDds(const Qos& qos);
// What an endpoint does not tell stays at the default of DDS.
Qos fromDds(const dds_qos_t* qos, bool isWriter);
