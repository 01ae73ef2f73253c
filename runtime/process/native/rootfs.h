/* The new root while it is made: shared by the files that make it, see rootfs.c. */
#ifndef ROSLET_ROOTFS_H
#define ROSLET_ROOTFS_H

#include "common.h"

#include <sys/types.h>

enum { MAX_SYNTHETIC = 256 };

struct root {
  /* Absolute path of the new root as the host names it, free of symbolic links. */
  char *path;
  int fd;
  /* Synthetic directories; the first is "/". */
  int synthetic[MAX_SYNTHETIC];
  dev_t devices[MAX_SYNTHETIC];
  size_t synthetic_count;
  /* Where volumes are mounted. */
  char **mounted;
  size_t mounted_count;
};

/* synthetic.c */
char *fd_path(int fd);
void bind_mount(int source_fd, int target_fd, const char *what);
/* Brings every entry of `below` but those of `except` into the empty directory `above`. */
void bring_in_all(int below, int above, const char *path, const char *const *except);
void remember_synthetic(struct root *root, int fd);
/*
 * Follows `target` in the new root, making what is missing, and returns its path without symbolic links. Links are
 * followed here, one at a time, so that also what a dangling link points to can be made.
 */
char *make_target(struct root *root, const char *target, bool directory);

/* remount.c */
void remount_readonly(const char *path);
/* Every mount below `path`, and `path` with `itself`, but none below one of `except`. By mountinfo, which any kernel has. */
void remount_readonly_below(const char *path, bool itself, char *const *except);
/* A mount that is to propagate to the host must be a peer of a host's mount. */
bool is_shared(int fd);

#endif
