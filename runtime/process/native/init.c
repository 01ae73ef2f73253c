/*
 * The first process of a container's own pid namespace. The kernel gives pid 1 no default signal actions, so the
 * workload would ignore SIGTERM: it runs as a child instead. Init hands signals on, reaps orphans, and ends with the
 * workload's exit code, which ends everything else in the namespace.
 */
#define _GNU_SOURCE
#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int exit_code_of(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

/* The caller has blocked all signals before it forked the workload, so none is lost. */
void run_init(pid_t workload) {
  prctl(PR_SET_NAME, "roslet-init");
  prctl(PR_SET_DUMPABLE, 0);
  int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd < 3; fd++)
    if (null_fd >= 0) dup2(null_fd, fd);
  close_inherited(3, false);
  keep_only_kill_capability();
  sigset_t all;
  sigfillset(&all);
  for (;;) {
    siginfo_t info;
    int signal_number = sigwaitinfo(&all, &info);
    if (signal_number < 0) continue;
    if (signal_number != SIGCHLD) {
      kill(workload, signal_number);
      continue;
    }
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
      if (pid == workload) _exit(exit_code_of(status));
  }
}
