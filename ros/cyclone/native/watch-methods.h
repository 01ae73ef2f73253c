// What JavaScript does with watches.
#pragma once

#include <node_api.h>

#include <vector>

std::vector<napi_property_descriptor> watchMethods();
