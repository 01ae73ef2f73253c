// The library knows a domain once in a process, and its settings are those of the first user.
#pragma once

#include <cstdint>
#include <string>

// A share in a domain, which goes with its last user.
class DomainUse {
 public:
  // Throws std::runtime_error, also when the domain is in use with other settings.
  DomainUse(uint32_t id, const std::string& config);
  ~DomainUse();
  DomainUse(const DomainUse&) = delete;
  DomainUse& operator=(const DomainUse&) = delete;

 private:
  const uint32_t id_;
};
