/*
 * The last steps of a process before it becomes the workload: descriptors, signals, limits, seccomp, capabilities,
 * user, working directory, program. Capabilities follow what container runtimes do: the bounding set is cut to the
 * granted ones, root holds them, any other user holds none (nothing ambient).
 */
#define _GNU_SOURCE
#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4
#endif

void reset_signals(void) {
  /* By the raw call: the C library keeps its own two away from signal(), but they may come to us ignored. */
  const struct { void (*handler)(int); unsigned long flags, restorer, mask; } default_action = {0};
  for (int number = 1; number < NSIG; number++)
    syscall(SYS_rt_sigaction, number, &default_action, NULL, sizeof(default_action.mask));
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

void close_inherited(int first, bool on_exec) {
  if (syscall(SYS_close_range, first, ~0U, on_exec ? CLOSE_RANGE_CLOEXEC : 0) == 0) return;
  for (int fd = first; fd < 1024; fd++) {
    if (on_exec) fcntl(fd, F_SETFD, FD_CLOEXEC);
    else close(fd);
  }
}

static bool is_kept(int fd, const int *kept, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (kept[i] == fd) return true;
  return false;
}

void close_all_but(const int *kept, size_t count) {
  int last = 2;
  for (size_t i = 0; i < count; i++)
    if (kept[i] > last) last = kept[i];
  for (int fd = 3; fd < last; fd++)
    if (!is_kept(fd, kept, count)) close(fd);
  close_inherited(last + 1, false);
}

char *apply_oom_score(const struct spec *spec) {
  const char *score = spec_get(spec, "oomScoreAdj");
  if (score == NULL || write_file("/proc/self/oom_score_adj", score)) return NULL;
  return format("oom_score_adj %s was not set: %s", score, strerror(errno));
}

static unsigned long number_of(const struct spec *spec, const char *key) {
  const char *text = spec_get(spec, key);
  return text == NULL ? 0 : strtoul(text, NULL, 10);
}

/* So that the workload can open /dev/stdout and the like by name. Only pipes and a terminal of our own: anything else is the host's. */
void own_stdio(const struct spec *spec, bool terminal) {
  for (int fd = 0; fd < 3; fd++) {
    struct stat info;
    if (fstat(fd, &info) < 0 || !(S_ISFIFO(info.st_mode) || terminal)) continue;
    if (fchown(fd, (uid_t)number_of(spec, "uid"), info.st_gid) < 0 && errno != EROFS && errno != EPERM)
      fail(EXIT_CANNOT_START, "cannot give the standard streams to the user");
  }
}

static void apply_rlimits(const struct spec *spec) {
  size_t position = 0;
  const char *text;
  while ((text = spec_next(spec, "rlimit", &position)) != NULL) {
    int resource;
    unsigned long long soft, hard;
    char name[32];
    if (sscanf(text, "%d %31s %llu %llu", &resource, name, &soft, &hard) != 4)
      failx(EXIT_CANNOT_START, "not a limit: %s", text);
    struct rlimit limit = {.rlim_cur = (rlim_t)soft, .rlim_max = (rlim_t)hard};
    if (setrlimit((__rlimit_resource_t)resource, &limit) < 0)
      fail(EXIT_CANNOT_START, "cannot set the limit %s to %llu:%llu", name, soft, hard);
  }
}

static uint64_t held_capabilities(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2] = {0};
  syscall(SYS_capget, &header, data);
  return data[0].permitted | (uint64_t)data[1].permitted << 32;
}

static void set_capabilities(uint64_t set) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2] = {
      {.effective = (uint32_t)set, .permitted = (uint32_t)set},
      {.effective = (uint32_t)(set >> 32), .permitted = (uint32_t)(set >> 32)},
  };
  if (syscall(SYS_capset, &header, data) < 0) fail(EXIT_CANNOT_START, "cannot set capabilities");
}

void keep_only_kill_capability(void) { set_capabilities(held_capabilities() & 1ULL << CAP_KILL); }

static uint64_t granted_capabilities(const struct spec *spec) {
  const char *text = spec_get(spec, "capabilities");
  uint64_t wanted = text == NULL ? 0 : strtoull(text, NULL, 16), held = held_capabilities();
  if (spec_is(spec, "capabilitiesAll", "1")) return wanted & held;
  for (int i = 0; i < 64; i++)
    if ((wanted & ~held) >> i & 1)
      failx(EXIT_CANNOT_START, "capability number %d cannot be granted: the agent does not hold it", i);
  return wanted;
}

static void become_user(const struct spec *spec, uint64_t capabilities) {
  uid_t uid = (uid_t)number_of(spec, "uid");
  gid_t gid = (gid_t)number_of(spec, "gid");
  gid_t *groups = must_alloc((spec->count + 1) * sizeof *groups);
  size_t count = 0, position = 0;
  const char *text;
  while ((text = spec_next(spec, "group", &position)) != NULL) groups[count++] = (gid_t)strtoul(text, NULL, 10);
  for (int i = 0; prctl(PR_CAPBSET_READ, i) >= 0; i++)
    if (!(capabilities >> i & 1) && prctl(PR_CAPBSET_DROP, i) < 0)
      fail(EXIT_CANNOT_START, "cannot drop capability number %d", i);
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  if (setgroups(count, groups) < 0) fail(EXIT_CANNOT_START, "cannot set the supplementary groups");
  if (setresgid(gid, gid, gid) < 0) fail(EXIT_CANNOT_START, "cannot become group %u", gid);
  if (setresuid(uid, uid, uid) < 0) fail(EXIT_CANNOT_START, "cannot become user %u", uid);
  set_capabilities(uid == 0 ? capabilities : 0);
}

static int code_of(int number) {
  return number == ENOENT || number == ENOTDIR ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
}

/* Looks the program up in the PATH of its own environment, as a shell would. */
static _Noreturn void run_program(char **argv, char **environment) {
  if (strchr(argv[0], '/') != NULL) {
    execve(argv[0], argv, environment);
    fail(code_of(errno), "cannot run %s", argv[0]);
  }
  const char *path = "";
  for (char **entry = environment; *entry != NULL; entry++)
    if (strncmp(*entry, "PATH=", 5) == 0) path = *entry + 5;
  int denied = 0;
  while (*path != '\0') {
    int length = (int)strcspn(path, ":");
    char *candidate = length == 0 ? format("./%s", argv[0]) : format("%.*s/%s", length, path, argv[0]);
    execve(candidate, argv, environment);
    if (errno != ENOENT && errno != ENOTDIR) denied = errno;
    free(candidate);
    path += length;
    if (*path == ':') path++;
  }
  errno = denied;
  if (denied != 0) fail(EXIT_NOT_EXECUTABLE, "cannot run %s", argv[0]);
  failx(EXIT_NOT_FOUND, "executable %s not found in $PATH", argv[0]);
}

void exec_workload(const struct spec *spec, char **argv) {
  close_inherited(3, true);
  umask(022);
  apply_rlimits(spec);
  uint64_t capabilities = granted_capabilities(spec);
  if (spec_is(spec, "noNewPrivs", "1") && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
    fail(EXIT_CANNOT_START, "cannot set no-new-privileges");
  if (spec_is(spec, "seccomp", "default")) install_default_seccomp(capabilities);
  become_user(spec, capabilities);
  const char *directory = spec_get(spec, "workingDir");
  if (chdir(directory) < 0) fail(EXIT_NOT_FOUND, "cannot change to the working directory %s", directory);
  reset_signals();
  run_program(argv, spec_vector(spec, "env"));
}
