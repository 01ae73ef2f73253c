/*
 * mount(2) and umount2(2) for Node, which has neither: each on a thread of Node's pool, answered by a callback with errno, 0
 * when it worked. A program that does it costs more than the call, and while it is being started the agent's only thread
 * stands still.
 */
#include <errno.h>
#include <node_api.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

struct call {
  char *fs_type; /* NULL: unmount */
  char *target;
  char *data;
  int flags;
  int failure;
  napi_ref callback;
  napi_async_work work;
};

static void execute(napi_env env, void *data) {
  (void)env;
  struct call *call = data;
  int result = call->fs_type == NULL ? umount2(call->target, call->flags)
                                     : mount(call->fs_type, call->target, call->fs_type, 0, call->data);
  call->failure = result == 0 ? 0 : errno;
}

static void release(napi_env env, struct call *call) {
  if (call->work != NULL) napi_delete_async_work(env, call->work);
  if (call->callback != NULL) napi_delete_reference(env, call->callback);
  free(call->fs_type);
  free(call->target);
  free(call->data);
  free(call);
}

static void complete(napi_env env, napi_status status, void *data) {
  struct call *call = data;
  napi_value callback, receiver, failure;
  int code = status == napi_ok ? call->failure : ECANCELED;
  if (napi_get_reference_value(env, call->callback, &callback) == napi_ok &&
      napi_get_undefined(env, &receiver) == napi_ok && napi_create_int32(env, code, &failure) == napi_ok)
    napi_call_function(env, receiver, callback, 1, &failure, NULL);
  release(env, call);
}

/* NULL when it is no string, or holds a zero byte: the kernel would take another path than the caller means. */
static char *text(napi_env env, napi_value value) {
  size_t length;
  if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok) return NULL;
  char *copy = malloc(length + 1);
  if (copy == NULL) return NULL;
  if (napi_get_value_string_utf8(env, value, copy, length + 1, &length) == napi_ok && strlen(copy) == length)
    return copy;
  free(copy);
  return NULL;
}

static napi_value begin(napi_env env, struct call *call, int is_complete, napi_value callback) {
  napi_value name;
  if (is_complete && napi_create_reference(env, callback, 1, &call->callback) == napi_ok &&
      napi_create_string_utf8(env, "mount", NAPI_AUTO_LENGTH, &name) == napi_ok &&
      napi_create_async_work(env, NULL, name, execute, complete, call, &call->work) == napi_ok &&
      napi_queue_async_work(env, call->work) == napi_ok)
    return NULL;
  release(env, call);
  napi_throw_type_error(env, NULL, "not the arguments of a mount");
  return NULL;
}

/* mount(fsType, target, options, callback) */
static napi_value begin_mount(napi_env env, napi_callback_info info) {
  napi_value arguments[4];
  size_t count = 4;
  struct call *call = calloc(1, sizeof *call);
  if (call == NULL || napi_get_cb_info(env, info, &count, arguments, NULL, NULL) != napi_ok) abort();
  call->fs_type = text(env, arguments[0]);
  call->target = text(env, arguments[1]);
  call->data = text(env, arguments[2]);
  return begin(env, call, call->fs_type && call->target && call->data, arguments[3]);
}

/* unmount(target, isLazy, callback) */
static napi_value begin_unmount(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  size_t count = 3;
  bool is_lazy = false;
  struct call *call = calloc(1, sizeof *call);
  if (call == NULL || napi_get_cb_info(env, info, &count, arguments, NULL, NULL) != napi_ok) abort();
  call->target = text(env, arguments[0]);
  napi_status status = napi_get_value_bool(env, arguments[1], &is_lazy);
  call->flags = UMOUNT_NOFOLLOW | (is_lazy ? MNT_DETACH : 0);
  return begin(env, call, call->target && status == napi_ok, arguments[2]);
}

NAPI_MODULE_INIT() {
  napi_value mount, unmount;
  if (napi_create_function(env, "mount", NAPI_AUTO_LENGTH, begin_mount, NULL, &mount) != napi_ok ||
      napi_create_function(env, "unmount", NAPI_AUTO_LENGTH, begin_unmount, NULL, &unmount) != napi_ok ||
      napi_set_named_property(env, exports, "mount", mount) != napi_ok ||
      napi_set_named_property(env, exports, "unmount", unmount) != napi_ok)
    return NULL;
  return exports;
}
