#include "locators.h"

#include <arpa/inet.h>
#include <string.h>

extern "C" {
// That header is not C++ (a type and a tag of one name); of what it declares only the size of this pointer matters here.
#define Q_SOCKWAITSET_H
typedef struct SocketWaitset* os_sockWaitset;
#include "dds/ddsi/ddsi_domaingv.h"
#include "dds/ddsi/ddsi_entity_index.h"
#include "dds/ddsi/ddsi_proxy_participant.h"
#include "dds/ddsi/ddsi_tran.h"
#include "dds/ddsi/q_addrset.h"
#include "dds/ddsi/q_thread.h"
}

namespace {

ddsi_guid toDdsi(const Guid& guid) {
  ddsi_guid result;
  memcpy(&result, guid.data(), sizeof result);
  for (uint32_t& word : result.prefix.u) word = ntohl(word);
  result.entityid.u = ntohl(result.entityid.u);
  return result;
}

void append(const ddsi_xlocator_t* locator, void* argument) {
  auto& text = *static_cast<std::string*>(argument);
  char one[DDSI_LOCSTRLEN];
  ddsi_locator_to_string(one, sizeof one, &locator->c);
  if (!text.empty()) text += ',';
  text += one;
}

}  // namespace

std::string locatorsOf(const ddsi_sertype& type, const Guid& participant) {
  auto* domain = static_cast<ddsi_domaingv*>(ddsrt_atomic_ldvoidp(&type.gv));
  if (domain == nullptr) return "";
  const ddsi_guid guid = toDdsi(participant);
  std::string text;
  // What is found stays while this thread is awake.
  thread_state* thread = lookup_thread_state();
  thread_state_awake(thread, domain);
  if (ddsi_proxy_participant* proxy = entidx_lookup_proxy_participant_guid(domain->entity_index, &guid)) {
    addrset_forall(proxy->as_default, append, &text);
  }
  thread_state_asleep(thread);
  return text;
}
