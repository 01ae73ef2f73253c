// A writer or reader of ours as its participant keeps it, and the listeners by which the library tells of it.
#pragma once

#include <atomic>
#include <unordered_map>

#include "dds/dds.h"
#include "mailbox.h"
#include "sample.h"

enum class EndpointKind { writer, reader, participants, publications, subscriptions };

// Lives until the library has deleted its entity: listeners hold a pointer to it.
struct Endpoint {
  Mailbox* mailbox = nullptr;
  uint32_t id = 0;
  EndpointKind kind = EndpointKind::reader;
  dds_entity_t topic = 0;
  dds_entity_t entity = 0;
  Guid guid{};
  // Of a writer: of the samples that it writes, and how many it wrote.
  const ddsi_sertype* type = nullptr;
  int64_t sequence = 0;
  // Of a reader: whether it waits in the queue of those with data.
  std::atomic<bool> isQueued{false};
  // Matched peers by their handle; only used by the JavaScript thread.
  std::unordered_map<dds_instance_handle_t, Guid> peers;
};

// For an entity of the endpoint's kind. To be deleted by dds_delete_listener.
dds_listener_t* listenerFor(Endpoint& endpoint);
