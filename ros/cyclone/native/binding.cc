#include "binding.h"

#include "values.h"

void call(const Binding& binding, napi_ref callback, size_t count, const napi_value* values) {
  napi_value function, result;
  napi_get_reference_value(binding.env, callback, &function);
  if (napi_call_function(binding.env, undefined(binding.env), function, count, values, &result) !=
      napi_pending_exception) {
    return;
  }
  napi_value error;
  napi_get_and_clear_last_exception(binding.env, &error);
  napi_fatal_exception(binding.env, error);
}
