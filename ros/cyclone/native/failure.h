// The message of a failed call of the library.
#pragma once

#include <string>

#include "dds/dds.h"

inline std::string failure(const char* what, dds_return_t code) {
  return std::string(what) + ": " + dds_strretcode(code);
}
