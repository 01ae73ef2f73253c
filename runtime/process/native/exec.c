/*
 * `exec --spec FILE --target "PID START" --cgroup DIR [--tty] [--size COLUMNSxROWS] -- ARG...`: runs one more program in
 * a container: its namespaces, cgroups, user and capabilities, and relays the standard streams.
 *
 * Descriptor 3 is the control channel. To the agent: `started`, `failed <code> <message>`, `exit <code>`. From it:
 * `resize <columns> <rows>`. Its end means that the agent gave up or died: everything that was started is killed, found
 * by a cgroup of its own below the container's.
 */
#define _GNU_SOURCE
#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { STREAMS = 3 };

struct request {
  struct spec spec;
  pid_t target;
  unsigned long long target_start;
  const char *cgroup;
  bool tty;
  struct winsize size;
  char **argv;
};

/* Parent's and child's ends of the standard streams. */
struct channels {
  int parent[3];
  int child[3];
  int master;
  int terminal;
};

static struct request parse(int argc, char **argv) {
  struct request request = {0};
  const char *spec = NULL;
  int i = 1;
  for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
    if (strcmp(argv[i], "--tty") == 0) request.tty = true;
    else if (i + 1 >= argc) failx(2, "exec: %s needs a value", argv[i]);
    else if (strcmp(argv[i], "--spec") == 0) spec = argv[++i];
    else if (strcmp(argv[i], "--target") == 0) parse_process(argv[++i], &request.target, &request.target_start);
    else if (strcmp(argv[i], "--cgroup") == 0) request.cgroup = argv[++i];
    else if (strcmp(argv[i], "--size") == 0) sscanf(argv[++i], "%hux%hu", &request.size.ws_col, &request.size.ws_row);
    else failx(2, "exec: unknown option %s", argv[i]);
  }
  if (spec == NULL || request.cgroup == NULL || i + 1 >= argc) failx(2, "exec: --spec, --cgroup and a command are needed");
  request.spec = read_spec(spec);
  request.argv = argv + i + 1;
  return request;
}

static void enter(const struct request *request) {
  static const struct {
    const char *name;
    int flag;
  } kinds[] = {{"net", CLONE_NEWNET}, {"ipc", CLONE_NEWIPC}, {"uts", CLONE_NEWUTS}, {"pid", CLONE_NEWPID}, {"mnt", CLONE_NEWNS}};
  enum { COUNT = sizeof kinds / sizeof *kinds };
  int fds[COUNT];
  for (size_t i = 0; i < COUNT; i++) fds[i] = open_namespace(request->target, request->target_start, kinds[i].name);
  for (size_t i = 0; i < COUNT; i++)
    if (setns(fds[i], kinds[i].flag) < 0) fail(EXIT_CANNOT_START, "cannot join the %s namespace", kinds[i].name);
  for (size_t i = 0; i < COUNT; i++) close(fds[i]);
}

static struct channels open_channels(const struct request *request) {
  struct channels channels = {.parent = {-1, -1, -1}, .child = {-1, -1, -1}, .master = -1, .terminal = -1};
  if (request->tty) {
    channels.master = open_terminal(&channels.terminal);
    if (request->size.ws_col > 0) ioctl(channels.master, TIOCSWINSZ, &request->size);
    return channels;
  }
  /* Pipes, not the agent's sockets: a program may open /dev/stdout by name. */
  for (int i = 0; i < 3; i++) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) fail(EXIT_CANNOT_START, "cannot make a pipe");
    channels.parent[i] = ends[i == 0 ? 1 : 0];
    channels.child[i] = ends[i == 0 ? 0 : 1];
  }
  return channels;
}

static _Noreturn void run_child(const struct request *request, const struct channels *channels) {
  setsid();
  if (request->tty) adopt_terminal(channels->terminal);
  else
    for (int i = 0; i < 3; i++) dup2(channels->child[i], i);
  own_stdio(&request->spec, request->tty);
  exec_workload(&request->spec, request->argv);
}

/*
 * The middle process: joins the container and forks the program into its pid namespace, then tells its pid. It is
 * needed because the caller must stay outside the container's cgroups and mounts. The container's processes see it and
 * its child: it keeps no descriptor that is not the command's, and cannot be looked into.
 */
static _Noreturn void run_middle(const struct request *request, const struct channels *channels, int pid_fd) {
  const int kept[] = {error_fd, pid_fd, channels->terminal, channels->child[0], channels->child[1], channels->child[2]};
  close_all_but(kept, sizeof kept / sizeof *kept);
  prctl(PR_SET_DUMPABLE, 0);
  join_spec_cgroups(&request->spec);
  join_cgroup(request->cgroup);
  free(apply_oom_score(&request->spec));
  enter(request);
  pid_t child = (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);
  if (child < 0) fail(EXIT_CANNOT_START, "cannot fork");
  if (child == 0) run_child(request, channels);
  write_all(pid_fd, &child, sizeof child);
  _exit(0);
}

static bool read_control(const struct channels *channels) {
  char text[256];
  ssize_t count = read(CONTROL_FD, text, sizeof text - 1);
  if (count <= 0) return false;
  text[count] = '\0';
  for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
    struct winsize size = {0};
    if (sscanf(line, "resize %hu %hu", &size.ws_col, &size.ws_row) == 2 && channels->master >= 0)
      ioctl(channels->master, TIOCSWINSZ, &size);
  }
  return true;
}

/*
 * Gives up. Children that have ended are reaped here; what is stuck in the kernel (a frozen cgroup, a dead file
 * server) is not waited for: it dies when it comes loose.
 */
static _Noreturn void abandon(const struct request *request) {
  kill_cgroup("/proc/self/cwd");
  const struct timespec pause = {.tv_nsec = 2000000};
  for (int i = 0; i < 250 && waitpid(-1, NULL, WNOHANG) >= 0; i++) nanosleep(&pause, NULL);
  chdir("/");
  rmdir(request->cgroup);
  _exit(EXIT_CANNOT_START);
}

/* Reads the report until all its writers have exec'd or ended, unless the agent gives up meanwhile. */
static size_t await_report(const struct request *request, const struct channels *channels, pid_t middle, int fd, char *text,
                           size_t size) {
  size_t length = 0;
  for (;;) {
    struct pollfd entries[] = {{.fd = fd, .events = POLLIN}, {.fd = CONTROL_FD, .events = POLLIN}};
    if (poll(entries, 2, -1) < 0) continue;
    if (entries[1].revents != 0 && !read_control(channels)) {
      kill(middle, SIGKILL);
      abandon(request);
    }
    if (entries[0].revents == 0) continue;
    ssize_t more = read(fd, text + length, size - 1 - length);
    if (more <= 0) break;
    length += (size_t)more;
  }
  text[length] = '\0';
  return length;
}

static pid_t start(const struct request *request, struct channels *channels) {
  int report[2], pids[2];
  if (pipe2(report, O_CLOEXEC) < 0 || pipe2(pids, O_CLOEXEC) < 0) fail(EXIT_CANNOT_START, "cannot make a pipe");
  pid_t middle = fork();
  if (middle < 0) fail(EXIT_CANNOT_START, "cannot fork");
  if (middle == 0) {
    on_failure = NULL;
    error_fd = report[1];
    run_middle(request, channels, pids[1]);
  }
  close(report[1]);
  close(pids[1]);
  for (int i = 0; i < 3; i++)
    if (channels->child[i] >= 0) close(channels->child[i]);
  if (channels->terminal >= 0) close(channels->terminal);
  char text[4096];
  size_t length = await_report(request, channels, middle, report[0], text, sizeof text);
  /* The middle process wrote the pid, if ever, before it ended. */
  pid_t child = -1;
  ssize_t count = read(pids[0], &child, sizeof child);
  waitpid(middle, NULL, 0);
  if (length > 0 || count != sizeof child) {
    /* Not left to others to reap: the container's pid namespace cannot end while a zombie is in it. */
    if (count == sizeof child) waitpid(child, NULL, 0);
    rmdir(request->cgroup);
    failx(EXIT_CANNOT_START, "%s", length > 0 ? strchr(text, ' ') + 1 : "the command was killed before it started");
  }
  close(pids[0]);
  close(report[0]);
  return child;
}

/* Until the program has ended and all that it wrote is handed on. What outlives it does not hold this up. */
static void relay(const struct request *request, pid_t child, const struct channels *channels, struct stream **streams, int count) {
  int child_fd = (int)syscall(SYS_pidfd_open, child, 0);
  if (child_fd < 0) fail(EXIT_CANNOT_START, "cannot watch the command");
  bool ended = false;
  for (;;) {
    struct pollfd entries[2 * STREAMS + 2];
    bool buffered = false;
    for (int i = 0; i < count; i++) {
      stream_wants(streams[i], &entries[2 * i]);
      buffered |= i > 0 && streams[i]->start < streams[i]->end;
    }
    if (ended) entries[0].fd = entries[1].fd = -1;
    entries[2 * count] = (struct pollfd){.fd = ended ? -1 : child_fd, .events = POLLIN};
    entries[2 * count + 1] = (struct pollfd){.fd = CONTROL_FD, .events = POLLIN};
    int ready = poll(entries, (nfds_t)(2 * count + 2), ended && !buffered ? 0 : -1);
    if (ready < 0 && errno == EINTR) continue;
    if (ended && ready == 0) break;
    if (entries[2 * count + 1].revents != 0 && !read_control(channels)) {
      abandon(request);
    }
    if (entries[2 * count].revents != 0) ended = true;
    for (int i = ended ? 1 : 0; i < count; i++) stream_step(streams[i], &entries[2 * i]);
  }
  close(child_fd);
}

int command_exec(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  on_failure = say_failure;
  struct request request = parse(argc, argv);
  if (mkdir(request.cgroup, 0755) < 0 || chdir(request.cgroup) < 0)
    fail(EXIT_CANNOT_START, "the container is gone: cannot use %s", request.cgroup);
  struct channels channels = open_channels(&request);
  pid_t child = start(&request, &channels);
  say("started\n");
  struct stream *streams[STREAMS];
  int count = 0;
  streams[count++] = new_stream(0, request.tty ? channels.master : channels.parent[0], request.tty ? AT_END_VEOF : AT_END_CLOSE);
  streams[count++] = new_stream(request.tty ? channels.master : channels.parent[1], 1, AT_END_NOTHING);
  if (!request.tty) streams[count++] = new_stream(channels.parent[2], 2, AT_END_NOTHING);
  relay(&request, child, &channels, streams, count);
  int status;
  if (waitpid(child, &status, 0) < 0) fail(EXIT_CANNOT_START, "cannot wait for the command");
  chdir("/");
  rmdir(request.cgroup);
  say(format("exit %d\n", WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status)));
  return 0;
}
