/*
 * `launch --cgroup DIR... --lock FILE --alive FIFO -- PROGRAM ARG...`: moves itself into cgroups and becomes PROGRAM.
 * The agent starts supervisors with it so that they are never in the agent's own cgroup, not even for an instant. The
 * lock file is made at the last moment, only once and whole: whoever loses exits with 3 and starts nothing. The fifo
 * stays open in PROGRAM and what it goes on as: whoever reads it is told by the kernel when that has ended.
 */
#define _GNU_SOURCE
#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EXIT_ALREADY_LAUNCHED = 3 };

/* Written beside and linked into place: a full disk must not leave an empty lock, that would be one for ever. */
static bool take_lock(const char *lock) {
  char *draft = format("%s.%d", lock, (int)getpid());
  int fd = open(draft, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  bool written = fd >= 0 && dprintf(fd, "%d %llu\n", (int)getpid(), process_start_time(getpid())) > 0;
  bool taken = written && link(draft, lock) == 0;
  int number = errno;
  if (fd >= 0) close(fd);
  unlink(draft);
  free(draft);
  errno = number;
  if (!taken && (!written || errno != EEXIST)) fail(EXIT_CANNOT_START, "cannot make %s", lock);
  return taken;
}

/* For reading and writing: that waits for nobody. */
static void hold_open(const char *fifo) {
  if ((mkfifo(fifo, 0600) < 0 && errno != EEXIST) || open(fifo, O_RDWR) < 0)
    fail(EXIT_CANNOT_START, "cannot make %s", fifo);
}

int command_launch(int argc, char **argv) {
  const char *lock = NULL, *alive = NULL;
  int i = 1;
  for (; i + 1 < argc && strcmp(argv[i], "--") != 0; i += 2) {
    if (strcmp(argv[i], "--cgroup") == 0) join_cgroup(argv[i + 1]);
    else if (strcmp(argv[i], "--lock") == 0) lock = argv[i + 1];
    else if (strcmp(argv[i], "--alive") == 0) alive = argv[i + 1];
    else failx(EXIT_CANNOT_START, "launch: unknown option %s", argv[i]);
  }
  if (i + 1 >= argc) failx(EXIT_CANNOT_START, "launch: no program given");
  if (alive != NULL) hold_open(alive);
  if (lock != NULL && !take_lock(lock)) return EXIT_ALREADY_LAUNCHED;
  execv(argv[i + 1], argv + i + 1);
  int number = errno;
  if (lock != NULL) unlink(lock);
  errno = number;
  fail(EXIT_CANNOT_START, "cannot run %s", argv[i + 1]);
}
