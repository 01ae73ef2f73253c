/*
 * `create --bundle DIR --pid-file FILE [--console-socket PATH] ID`, called by conmon. Unlike an OCI runtime it goes all
 * the way to the running program: the agent calls conmon when the container is to start, so that a created container
 * is nothing but a record on disk.
 *
 * The outcome is renamed into place as one file, which wakes the agent and survives it:
 *   started <milliseconds since the epoch> <pid> <start time>      then lines `warning <text>`
 *   error <exit code> <message>
 */
#define _GNU_SOURCE
#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *outcome_path;

static void write_outcome(const char *text) {
  char *temporary = format("%s.tmp", outcome_path);
  int fd = open(temporary, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  if (fd < 0 || !write_all(fd, text, strlen(text)) || rename(temporary, outcome_path) < 0) _exit(EXIT_CANNOT_START);
  close(fd);
}

static void write_failure(int code, const char *message) { write_outcome(format("error %d %s\n", code, message)); }

static const char *option(int argc, char **argv, const char *name) {
  for (int i = 1; i + 1 < argc; i++)
    if (strcmp(argv[i], name) == 0) return argv[i + 1];
  return NULL;
}

/* A namespace that is `join:<pid> <start time>`, `new` or `host`. */
static void enter_namespace(const struct spec *spec, const char *key, const char *name, int flag) {
  const char *text = spec_get(spec, key);
  if (text == NULL || strcmp(text, "host") == 0) return;
  if (strcmp(text, "new") == 0) {
    if (unshare(flag) < 0) fail(EXIT_CANNOT_START, "cannot make a %s namespace", name);
    return;
  }
  pid_t pid;
  unsigned long long start_time;
  parse_process(text + strlen("join:"), &pid, &start_time);
  int fd = open_namespace(pid, start_time, name);
  if (setns(fd, flag) < 0) fail(EXIT_CANNOT_START, "cannot join the %s namespace of process %d", name, (int)pid);
  close(fd);
}

static _Noreturn void become_workload(const struct spec *spec, int terminal_fd) {
  setsid();
  if (terminal_fd >= 0) adopt_terminal(terminal_fd);
  own_stdio(spec, terminal_fd >= 0);
  char **argv = spec_vector(spec, "arg");
  if (argv[0] == NULL) failx(EXIT_NOT_FOUND, "no command given");
  exec_workload(spec, argv);
}

static _Noreturn void run_container(const struct spec *spec, struct volumes *volumes, int shm_fd, int terminal_fd) {
  enter_new_root(spec, volumes, shm_fd);
  if (!spec_is(spec, "pid", "new")) become_workload(spec, terminal_fd);
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  pid_t workload = fork();
  if (workload < 0) fail(EXIT_CANNOT_START, "cannot fork");
  if (workload == 0) become_workload(spec, terminal_fd);
  run_init(workload);
}

/* Reads until all writers have exec'd or died. */
static size_t read_report(int fd, char *text, size_t size) {
  size_t length = 0;
  while (length < size - 1) {
    ssize_t count = read(fd, text + length, size - 1 - length);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    length += (size_t)count;
  }
  text[length] = '\0';
  return length;
}

int command_create(int argc, char **argv) {
  const char *bundle = option(argc, argv, "--bundle"), *pid_file = option(argc, argv, "--pid-file");
  const char *console = option(argc, argv, "--console-socket");
  if (bundle == NULL || pid_file == NULL) failx(2, "create: --bundle and --pid-file are needed");
  struct spec spec = read_spec(format("%s/spec", bundle));
  outcome_path = spec_get(&spec, "outcome");
  on_failure = write_failure;

  char *warning = apply_oom_score(&spec);
  struct volumes *volumes = open_volumes(&spec);
  int shm_fd = open_sandbox_shm(&spec);
  int terminal_fd = -1;
  if (console != NULL) {
    int master = open_terminal(&terminal_fd);
    send_descriptor(console, master);
    close(master);
  }
  enter_namespace(&spec, "network", "net", CLONE_NEWNET);
  enter_namespace(&spec, "ipc", "ipc", CLONE_NEWIPC);
  enter_namespace(&spec, "uts", "uts", CLONE_NEWUTS);
  enter_namespace(&spec, "pid", "pid", CLONE_NEWPID);

  int report[2];
  if (pipe2(report, O_CLOEXEC) < 0) fail(EXIT_CANNOT_START, "cannot make a pipe");
  pid_t child = fork();
  if (child < 0) fail(EXIT_CANNOT_START, "cannot fork");
  if (child == 0) {
    on_failure = NULL;
    error_fd = report[1];
    close(report[0]);
    /* Only the container itself: its cgroup may be killed at any time, and conmon then still has to hear that it started. */
    join_spec_cgroups(&spec);
    /* Processes that are in the namespaces already cannot look into it. */
    prctl(PR_SET_DUMPABLE, 0);
    run_container(&spec, volumes, shm_fd, terminal_fd);
  }
  close(report[1]);
  char text[4096];
  if (read_report(report[0], text, sizeof text) > 0) {
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    write_outcome(format("error %s\n", text));
    return 1;
  }
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  long long now_ms = (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
  unsigned long long start_time = process_start_time(child);
  int fd = open(pid_file, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  if (fd < 0 || dprintf(fd, "%d", (int)child) < 0) fail(EXIT_CANNOT_START, "cannot write %s", pid_file);
  close(fd);
  char *outcome = format("started %lld %d %llu\n", now_ms, (int)child, start_time);
  write_outcome(warning == NULL ? outcome : format("%swarning %s\n", outcome, warning));
  return 0;
}
