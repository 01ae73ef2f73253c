// From the library to JavaScript: what waits in the mailbox, and what readers have.
#pragma once

#include <node_api.h>

// Called by the event loop after any number of wake-ups. `context` is the Binding.
void drain(napi_env env, napi_value, void* context, void*);
