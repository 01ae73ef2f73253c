/* Joining and killing cgroups. Nothing here creates one: a removed cgroup must stay removed. */
#define _GNU_SOURCE
#include "common.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void join_cgroup(const char *directory) {
  char *path = format("%s/cgroup.procs", directory);
  if (!write_file(path, "0")) fail(EXIT_CANNOT_START, "cannot join the cgroup %s", directory);
  free(path);
}

void join_spec_cgroups(const struct spec *spec) {
  size_t position = 0;
  const char *directory;
  while ((directory = spec_next(spec, "cgroup", &position)) != NULL) join_cgroup(directory);
}

/* Kernels before 5.14 and cgroup v1 have no cgroup.kill: kill what is listed until nothing is. */
static bool kill_listed(const char *procs_path) {
  FILE *procs = fopen(procs_path, "re");
  if (procs == NULL) return false;
  int pid;
  bool any = false;
  while (fscanf(procs, "%d", &pid) == 1) {
    any = true;
    /* 0 stands for a process of a pid namespace that is not ours to see; to kill(2) it means our own group. */
    if (pid > 0) kill(pid, SIGKILL);
  }
  fclose(procs);
  return any;
}

void kill_cgroup(const char *directory) {
  char *kill_path = format("%s/cgroup.kill", directory);
  char *procs_path = format("%s/cgroup.procs", directory);
  if (!write_file(kill_path, "1")) {
    const struct timespec pause = {.tv_nsec = 2000000};
    for (int i = 0; i < 500 && kill_listed(procs_path); i++) nanosleep(&pause, NULL);
  }
  free(kill_path);
  free(procs_path);
}
