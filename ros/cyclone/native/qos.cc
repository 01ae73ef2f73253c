#include "qos.h"

namespace {
// A reader whose consumer does not keep up holds that many samples; then a reliable writer is told to wait.
constexpr int32_t kKeepAllLimit = 10'000;
}  // namespace

dds_qos_t* toDds(const Qos& qos) {
  dds_qos_t* dds = dds_create_qos();
  const dds_history_kind_t history = qos.keepsAll ? DDS_HISTORY_KEEP_ALL : DDS_HISTORY_KEEP_LAST;
  const int32_t limit = qos.keepsAll ? kKeepAllLimit : DDS_LENGTH_UNLIMITED;
  dds_qset_history(dds, history, qos.depth);
  dds_qset_resource_limits(dds, limit, DDS_LENGTH_UNLIMITED, limit);
  // A blocking time of zero: a peer that is stopped costs samples, never time.
  dds_qset_reliability(dds, qos.isReliable ? DDS_RELIABILITY_RELIABLE : DDS_RELIABILITY_BEST_EFFORT, 0);
  if (qos.isTransientLocal) {
    dds_qset_durability(dds, DDS_DURABILITY_TRANSIENT_LOCAL);
    dds_qset_durability_service(dds, 0, history, qos.depth, limit, DDS_LENGTH_UNLIMITED, limit);
  }
  dds_qset_deadline(dds, qos.deadline);
  dds_qset_lifespan(dds, qos.lifespan);
  dds_qset_liveliness(
      dds, qos.isManualByTopic ? DDS_LIVELINESS_MANUAL_BY_TOPIC : DDS_LIVELINESS_AUTOMATIC, qos.lease);
  dds_qset_writer_data_lifecycle(dds, false);
  return dds;
}

Qos fromDds(const dds_qos_t* dds, bool isWriter) {
  Qos qos;
  dds_reliability_kind_t reliability = isWriter ? DDS_RELIABILITY_RELIABLE : DDS_RELIABILITY_BEST_EFFORT;
  dds_durability_kind_t durability = DDS_DURABILITY_VOLATILE;
  dds_history_kind_t history = DDS_HISTORY_KEEP_LAST;
  dds_liveliness_kind_t liveliness = DDS_LIVELINESS_AUTOMATIC;
  dds_qget_reliability(dds, &reliability, nullptr);
  dds_qget_durability(dds, &durability);
  // Vendors other than Cyclone DDS do not send it.
  dds_qget_history(dds, &history, &qos.depth);
  dds_qget_deadline(dds, &qos.deadline);
  dds_qget_lifespan(dds, &qos.lifespan);
  dds_qget_liveliness(dds, &liveliness, &qos.lease);
  qos.isReliable = reliability == DDS_RELIABILITY_RELIABLE;
  qos.isTransientLocal = durability != DDS_DURABILITY_VOLATILE;
  qos.keepsAll = history == DDS_HISTORY_KEEP_ALL;
  qos.isManualByTopic = liveliness == DDS_LIVELINESS_MANUAL_BY_TOPIC;
  return qos;
}
