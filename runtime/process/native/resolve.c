/* Opening paths below a root without ever leaving it (openat2, Linux 5.6), whatever symbolic links say. */
#define _GNU_SOURCE
#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_path(int root_fd, const char *path, int flags, uint64_t resolve) {
  while (*path == '/') path++;
  struct open_how how = {
      .flags = (uint64_t)(O_PATH | O_CLOEXEC | flags),
      .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve,
  };
  for (int tries = 0;; tries++) {
    int fd = (int)syscall(SYS_openat2, root_fd, *path == '\0' ? "." : path, &how, sizeof how);
    /* EAGAIN: something was renamed meanwhile, so that the kernel could not be sure. */
    if (fd >= 0 || errno != EAGAIN || tries == 100) return fd;
  }
}

int open_in_root(int root_fd, const char *path, int flags) { return open_path(root_fd, path, flags, 0); }

int open_plain(int root_fd, const char *path, int flags) {
  return open_path(root_fd, path, flags, RESOLVE_NO_SYMLINKS);
}
