// At which addresses a participant is reached, which the library knows but shows to nobody.
#pragma once

#include <string>

#include "sample.h"

// As `udp/192.168.1.7:7411,udp/[fe80::1]:7411`. Empty for one that is not (or no longer) known, and for those of this process.
// `type`: one that is registered with the participant's domain, by which that is found.
std::string locatorsOf(const ddsi_sertype& type, const Guid& participant);
