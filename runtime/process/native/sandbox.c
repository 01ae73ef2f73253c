/*
 * `sandbox SPEC`: makes the namespaces of a pod and leaves a process behind that holds them. Its root is an empty
 * tmpfs, so that it keeps no mount of the host busy; the pod's /dev/shm is /shm in there. With a shared pid namespace
 * it is that namespace's init. "<pid> <start time>" is renamed to the `outcome` file once all is made.
 */
#define _GNU_SOURCE
#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void bring_loopback_up(void) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
  if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0) fail(EXIT_CANNOT_START, "cannot bring the loopback device up");
  close(fd);
}

static void set_sysctls(const struct spec *spec) {
  size_t position = 0;
  const char *text;
  while ((text = spec_next(spec, "sysctl", &position)) != NULL) {
    const char *value = strchr(text, '=');
    if (value == NULL) failx(EXIT_CANNOT_START, "not a sysctl: %s", text);
    char *path = format("/proc/sys/%.*s", (int)(value - text), text);
    if (!write_file(path, value + 1)) fail(EXIT_CANNOT_START, "cannot set the sysctl %s", text);
    free(path);
  }
}

static void make_empty_root(const struct spec *spec) {
  const char *place = spec_get(spec, "root");
  if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) < 0 ||
      mount("tmpfs", place, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=755") < 0 || chdir(place) < 0 ||
      mkdir("shm", 0755) < 0)
    fail(EXIT_CANNOT_START, "cannot make the sandbox's root");
  if (mount("shm", "shm", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=1777") < 0)
    fail(EXIT_CANNOT_START, "cannot mount the sandbox's /dev/shm");
  if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
    fail(EXIT_CANNOT_START, "cannot change the sandbox's root");
}

static _Noreturn void hold(bool is_init) {
  prctl(PR_SET_NAME, "roslet-pause");
  prctl(PR_SET_DUMPABLE, 0);
  sigset_t all;
  sigfillset(&all);
  for (;;) {
    siginfo_t info;
    int number = sigwaitinfo(&all, &info);
    while (number == SIGCHLD && waitpid(-1, NULL, WNOHANG) > 0) continue;
    if (number == SIGTERM && !is_init) _exit(0);
  }
}

int command_sandbox(int argc, char **argv) {
  if (argc != 2) failx(2, "usage: roslet-oci sandbox SPEC");
  struct spec spec = read_spec(argv[1]);
  const char *outcome = spec_get(&spec, "outcome");
  if (spec_is(&spec, "network", "new")) {
    if (unshare(CLONE_NEWNET) < 0) fail(EXIT_CANNOT_START, "cannot make a network namespace");
    bring_loopback_up();
  }
  if (spec_is(&spec, "ipc", "new") && unshare(CLONE_NEWIPC) < 0)
    fail(EXIT_CANNOT_START, "cannot make an ipc namespace");
  if (spec_is(&spec, "uts", "new")) {
    const char *hostname = spec_get(&spec, "hostname");
    if (unshare(CLONE_NEWUTS) < 0 || sethostname(hostname, strlen(hostname)) < 0)
      fail(EXIT_CANNOT_START, "cannot set the hostname");
  }
  set_sysctls(&spec);
  bool shares_pid = spec_is(&spec, "pid", "new");
  if (shares_pid && unshare(CLONE_NEWPID) < 0) fail(EXIT_CANNOT_START, "cannot make a pid namespace");

  int report[2];
  if (pipe2(report, O_CLOEXEC) < 0) fail(EXIT_CANNOT_START, "cannot make a pipe");
  pid_t holder = fork();
  if (holder < 0) fail(EXIT_CANNOT_START, "cannot fork");
  if (holder == 0) {
    error_fd = report[1];
    setsid();
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    make_empty_root(&spec);
    close_inherited(0, false);
    hold(shares_pid);
  }
  close(report[1]);
  char text[4096];
  ssize_t length = read(report[0], text, sizeof text - 1);
  if (length != 0) {
    text[length > 0 ? length : 0] = '\0';
    waitpid(holder, NULL, 0);
    failx(EXIT_CANNOT_START, "%s", length > 0 && strchr(text, ' ') != NULL ? strchr(text, ' ') + 1 : "sandbox failed");
  }
  char *temporary = format("%s.tmp", outcome);
  int fd = open(temporary, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  if (fd < 0 || dprintf(fd, "%d %llu\n", (int)holder, process_start_time(holder)) < 0 || rename(temporary, outcome) < 0)
    fail(EXIT_CANNOT_START, "cannot write %s", outcome);
  return 0;
}
