/*
 * Shared by all parts of roslet-oci, the small program that turns a prepared record into a host process in namespaces
 * and cgroups. It is run by conmon in the place of an OCI runtime (`create`), and by the agent (`launch`, `sandbox`,
 * `exec`, `attach`, `dial`). It reads no JSON: the agent hands it a list of NUL-terminated `key=value` strings.
 */
#ifndef ROSLET_COMMON_H
#define ROSLET_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Exit codes that shells and container runtimes use for what could not be run. */
enum { EXIT_CANNOT_START = 128, EXIT_NOT_FOUND = 127, EXIT_NOT_EXECUTABLE = 126 };

struct spec {
  char **items;
  size_t count;
};

/* Where fatal errors go: a descriptor whose reader gets "<exit code> <message>"; -1 writes to stderr. */
extern int error_fd;
/* When set it is called instead. */
extern void (*on_failure)(int code, const char *message);

/* Reports "message: errno" and ends the process with `code`. */
_Noreturn void fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same without errno. */
_Noreturn void failx(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The control channel of the helpers that relay for the agent. */
enum { CONTROL_FD = 3 };
void say(const char *line);
void say_failure(int code, const char *message);

char *format(const char *pattern, ...) __attribute__((format(printf, 1, 2)));
void *must_alloc(size_t size);

struct spec read_spec(const char *path);
/* Value of the first item with this key, or NULL. */
const char *spec_get(const struct spec *spec, const char *key);
/* Value of the next item with this key at or after *position, which moves past it; NULL at the end. */
const char *spec_next(const struct spec *spec, const char *key, size_t *position);
bool spec_is(const struct spec *spec, const char *key, const char *value);
/* All values of a key as a NULL-terminated vector. */
char **spec_vector(const struct spec *spec, const char *key);

bool write_file(const char *path, const char *text);
bool write_all(int fd, const void *data, size_t size);
/* Reads up to size - 1 bytes and terminates them; -1 on error. */
ssize_t read_file(const char *path, char *buffer, size_t size);

/* Start time of a process in clock ticks since boot: with the pid it names a process for good. 0: no such process. */
unsigned long long process_start_time(pid_t pid);
/* Opens /proc/<pid>/ns/<name> of a process that still is the one that was meant. */
int open_namespace(pid_t pid, unsigned long long start_time, const char *name);
/* Parses "<pid> <start time>". */
void parse_process(const char *text, pid_t *pid, unsigned long long *start_time);

/* cgroup.c */
void join_cgroup(const char *directory);
void join_spec_cgroups(const struct spec *spec);
void kill_cgroup(const char *directory);

/* process.c: what is done to a process right before it becomes the workload. */
void reset_signals(void);
/* Closes descriptors from `first` on: now, or when the next program is run. */
void close_inherited(int first, bool on_exec);
/* Closes all but the standard streams and `kept`, of which some may be -1. */
void close_all_but(const int *kept, size_t count);
/* Not every agent may lower the score: returns what is wrong instead of failing, or NULL. */
char *apply_oom_score(const struct spec *spec);
void own_stdio(const struct spec *spec, bool terminal);
_Noreturn void exec_workload(const struct spec *spec, char **argv);
void keep_only_kill_capability(void);

/* seccomp.c */
void install_default_seccomp(uint64_t capabilities);

/* rootfs.c */
struct volumes;
struct volumes *open_volumes(const struct spec *spec);
int open_sandbox_shm(const struct spec *spec);
void enter_new_root(const struct spec *spec, struct volumes *volumes, int shm_fd);

/* resolve.c: paths inside a root that others may be changing. */
/* Opens with O_PATH | flags, following symbolic links as if root_fd were the root. -1 with errno. */
int open_in_root(int root_fd, const char *path, int flags);
/* The same where no component may be a symbolic link. */
int open_plain(int root_fd, const char *path, int flags);

/* init.c */
_Noreturn void run_init(pid_t workload);

/* terminal.c */
int open_terminal(int *terminal_fd);
void adopt_terminal(int terminal_fd);
void send_descriptor(const char *socket_path, int fd);

/* relay.c: one direction of bytes. */
struct stream {
  int from;
  int to;
  /* What the destination is told at the end of the source. */
  enum { AT_END_NOTHING, AT_END_CLOSE, AT_END_SHUTDOWN, AT_END_VEOF } at_end;
  size_t start;
  size_t end;
  char data[65536];
};
struct stream *new_stream(int from, int to, int at_end);
struct pollfd;
/* Fills two entries with what the stream waits for. */
void stream_wants(const struct stream *stream, struct pollfd *entries);
/* Moves what can be moved; true while the stream is alive. */
bool stream_step(struct stream *stream, const struct pollfd *entries);

/* The subcommands. */
int command_create(int argc, char **argv);
int command_launch(int argc, char **argv);
int command_sandbox(int argc, char **argv);
int command_exec(int argc, char **argv);
int command_attach(int argc, char **argv);
int command_dial(int argc, char **argv);

#endif
