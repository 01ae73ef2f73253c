#include "domain.h"

#include <map>
#include <mutex>
#include <stdexcept>

#include "dds/dds.h"
#include "failure.h"
#include "library-log.h"

namespace {

struct Domain {
  dds_entity_t entity = 0;
  std::string config;
  unsigned users = 0;
};

std::mutex mutex;
std::map<uint32_t, Domain> domains;

dds_entity_t createDomain(uint32_t id, const std::string& config) {
  const LogCapture log;
  const dds_entity_t entity = dds_create_domain(id, config.c_str());
  if (entity >= 0) return entity;
  const std::string why = log.text();
  throw std::runtime_error(why.empty() ? failure("dds_create_domain", entity) : why);
}

}  // namespace

DomainUse::DomainUse(uint32_t id, const std::string& config) : id_(id) {
  const std::lock_guard lock(mutex);
  const auto found = domains.find(id);
  if (found == domains.end()) {
    domains[id] = {createDomain(id, config), config, 1};
    return;
  }
  if (found->second.config != config) {
    throw std::runtime_error("another participant of this process uses the domain with other settings");
  }
  found->second.users++;
}

DomainUse::~DomainUse() {
  const std::lock_guard lock(mutex);
  const auto found = domains.find(id_);
  if (found == domains.end() || --found->second.users > 0) return;
  dds_delete(found->second.entity);
  domains.erase(found);
}
