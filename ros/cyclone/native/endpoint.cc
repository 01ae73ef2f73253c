#include "endpoint.h"

#include <utility>

namespace {

// All below is called by threads of the library.

Endpoint& endpointOf(void* argument) { return *static_cast<Endpoint*>(argument); }

void tell(void* argument, Event event) {
  Endpoint& endpoint = endpointOf(argument);
  event.id = endpoint.id;
  endpoint.mailbox->push(std::move(event));
}

void tellTotal(void* argument, Event::Kind kind, uint32_t total) {
  Event event{kind};
  event.count = total;
  tell(argument, std::move(event));
}

void onData(dds_entity_t, void* argument) {
  Endpoint& endpoint = endpointOf(argument);
  endpoint.mailbox->pushReady(endpoint);
}

// Writers and readers have statuses of their own, with the same fields but for the peer's.

dds_instance_handle_t peerOf(const dds_publication_matched_status_t& status) { return status.last_subscription_handle; }
dds_instance_handle_t peerOf(const dds_subscription_matched_status_t& status) { return status.last_publication_handle; }

template <typename Status>
void onMatch(dds_entity_t, Status status, void* argument) {
  if (status.current_count_change == 0) return;
  Event event{status.current_count_change > 0 ? Event::Kind::matched : Event::Kind::unmatched};
  event.handle = peerOf(status);
  tell(argument, std::move(event));
}

template <typename Status>
void onIncompatibleQos(dds_entity_t, Status status, void* argument) {
  Event event{Event::Kind::incompatibleQos};
  event.count = status.total_count;
  event.policy = status.last_policy_id;
  tell(argument, std::move(event));
}

template <typename Status>
void onDeadlineMissed(dds_entity_t, Status status, void* argument) {
  tellTotal(argument, Event::Kind::deadlineMissed, status.total_count);
}

void onLivelinessLost(dds_entity_t, dds_liveliness_lost_status_t status, void* argument) {
  tellTotal(argument, Event::Kind::livelinessLost, status.total_count);
}

void onLivelinessChanged(dds_entity_t, dds_liveliness_changed_status_t status, void* argument) {
  if (status.not_alive_count_change > 0) tellTotal(argument, Event::Kind::livelinessLost, status.not_alive_count);
}

}  // namespace

dds_listener_t* listenerFor(Endpoint& endpoint) {
  dds_listener_t* listener = dds_create_listener(&endpoint);
  if (endpoint.kind == EndpointKind::writer) {
    dds_lset_publication_matched(listener, onMatch);
    dds_lset_offered_incompatible_qos(listener, onIncompatibleQos);
    dds_lset_offered_deadline_missed(listener, onDeadlineMissed);
    dds_lset_liveliness_lost(listener, onLivelinessLost);
    return listener;
  }
  dds_lset_data_available(listener, onData);
  if (endpoint.kind != EndpointKind::reader) return listener;
  dds_lset_subscription_matched(listener, onMatch);
  dds_lset_requested_incompatible_qos(listener, onIncompatibleQos);
  dds_lset_requested_deadline_missed(listener, onDeadlineMissed);
  dds_lset_liveliness_changed(listener, onLivelinessChanged);
  return listener;
}
