// What JavaScript does with writers and readers.
#pragma once

#include <node_api.h>

#include <vector>

std::vector<napi_property_descriptor> endpointMethods();
