// The ROS graph as JavaScript gets it: what the library's built-in topics say of other participants and their endpoints.
#pragma once

#include "binding.h"

// Takes some of what a graph reader has. Returns whether there may be more.
bool drainGraph(const Binding& binding, const Endpoint& endpoint);
