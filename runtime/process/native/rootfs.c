/*
 * The file system that a host process sees: the host's own, with volumes mounted where the pod wants them, and nothing
 * changed on the host.
 *
 * The new root is a tmpfs in a private mount namespace into which every top-level entry of the host's root is bind
 * mounted. A mount point that does not exist is made in memory: its nearest existing directory D is covered by a tmpfs
 * that holds a bind mount of every entry of D ("synthetic directory"), in which directories can be made freely. Entries
 * that D had stay the host's; new entries in D itself are the container's own. Inside a volume a mount point is made in
 * the volume, as container runtimes do.
 */
#define _GNU_SOURCE
#include "rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

struct volume {
  int tree_fd;
  bool directory;
  const char *source;
  const char *target;
  const char *options;
};

struct volumes {
  size_t count;
  struct volume items[];
};

static int clone_tree(const char *path, unsigned flags) {
  return (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | O_CLOEXEC | flags);
}

/* Taken in the host's namespace: there the mounts still are peers of the host's, which bidirectional propagation needs. */
struct volumes *open_volumes(const struct spec *spec) {
  struct volumes *volumes = must_alloc(sizeof *volumes + (spec->count + 1) * sizeof(struct volume));
  size_t sources = 0, targets = 0, options = 0;
  const char *source;
  while ((source = spec_next(spec, "mount.source", &sources)) != NULL) {
    struct volume *volume = &volumes->items[volumes->count++];
    volume->source = source;
    volume->target = spec_next(spec, "mount.target", &targets);
    volume->options = spec_next(spec, "mount.options", &options);
    volume->tree_fd = clone_tree(source, AT_RECURSIVE);
    struct stat info;
    if (volume->tree_fd < 0 || fstat(volume->tree_fd, &info) < 0)
      fail(EXIT_CANNOT_START, "cannot mount %s at %s", source, volume->target);
    volume->directory = S_ISDIR(info.st_mode);
  }
  return volumes;
}

int open_sandbox_shm(const struct spec *spec) {
  const char *holder = spec_get(spec, "shm");
  if (holder == NULL) return -1;
  pid_t pid;
  unsigned long long start_time;
  parse_process(holder, &pid, &start_time);
  int own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC), theirs = open_namespace(pid, start_time, "mnt");
  if (own < 0 || setns(theirs, CLONE_NEWNS) < 0) fail(EXIT_CANNOT_START, "cannot enter the sandbox");
  int tree = clone_tree("/shm", 0);
  if (tree < 0) fail(EXIT_CANNOT_START, "cannot take the sandbox's /dev/shm");
  if (setns(own, CLONE_NEWNS) < 0) fail(EXIT_CANNOT_START, "cannot leave the sandbox");
  close(own);
  close(theirs);
  return tree;
}

static bool has_option(const struct volume *volume, const char *name) {
  const char *found = strstr(volume->options, name);
  size_t length = strlen(name);
  return found != NULL && (found[length] == ',' || found[length] == '\0') &&
         (found == volume->options || found[-1] == ',');
}

static void mount_tree(struct root *root, int tree_fd, const char *path, const char *what) {
  int target = open_plain(root->fd, path, 0);
  if (target < 0 || syscall(SYS_move_mount, tree_fd, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
    fail(EXIT_CANNOT_START, "cannot mount %s at %s", what, path);
  close(target);
}

static void mount_volume(struct root *root, const struct volume *volume) {
  char *path = make_target(root, volume->target, volume->directory);
  mount_tree(root, volume->tree_fd, path, volume->source);
  char *mounted = fd_path(volume->tree_fd);
  if (has_option(volume, "shared")) {
    if (!is_shared(volume->tree_fd))
      failx(EXIT_CANNOT_START, "cannot mount %s at %s: it is not a shared mount on the host", volume->source, path);
  } else {
    unsigned long type = has_option(volume, "slave") ? MS_SLAVE : MS_PRIVATE;
    if (mount(NULL, mounted, NULL, type | MS_REC, NULL) < 0)
      fail(EXIT_CANNOT_START, "cannot set the propagation of %s", path);
  }
  if (has_option(volume, "rro")) remount_readonly_below(format("%s%s", root->path, path), true, (char *[]){NULL});
  else if (has_option(volume, "ro")) remount_readonly(mounted);
  root->mounted[root->mounted_count++] = path;
  close(volume->tree_fd);
}

static void mount_new(struct root *root, const char *path, const char *type, unsigned long flags) {
  int fd = open_plain(root->fd, path, O_DIRECTORY);
  char *target = fd_path(fd);
  if (fd < 0 || mount(type, target, type, flags, NULL) < 0) fail(EXIT_CANNOT_START, "cannot mount %s at %s", type, path);
  close(fd);
}

static void make_host_root(struct root *root, const struct spec *spec) {
  bool own_proc = !spec_is(spec, "pid", "host"), own_sys = !spec_is(spec, "network", "host");
  const char *except[] = {own_proc ? "proc" : ".", own_sys ? "sys" : ".", NULL};
  int host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (host < 0) fail(EXIT_CANNOT_START, "cannot open /");
  bring_in_all(host, root->fd, "/", except);
  if (own_proc) {
    if (mkdirat(root->fd, "proc", 0555) < 0) fail(EXIT_CANNOT_START, "cannot make /proc");
    mount_new(root, "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC);
  }
  if (own_sys) {
    /* sysfs shows the network devices of the namespace in which it was mounted. */
    if (mkdirat(root->fd, "sys", 0555) < 0) fail(EXIT_CANNOT_START, "cannot make /sys");
    mount_new(root, "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC);
    int source = openat(host, "sys/fs/cgroup", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int target = open_plain(root->fd, "/sys/fs/cgroup", O_DIRECTORY);
    if (source >= 0 && target >= 0) bind_mount(source, target, "/sys/fs/cgroup");
    close(source);
    close(target);
  }
  close(host);
}

static void cover(struct root *root, const char *path) {
  int fd = open_in_root(root->fd, path, 0);
  struct stat info;
  if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) return;
  if (fd < 0 || fstat(fd, &info) < 0) fail(EXIT_CANNOT_START, "cannot mask %s", path);
  char *target = fd_path(fd);
  int result = S_ISDIR(info.st_mode) ? mount("tmpfs", target, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV, "size=0")
                                     : mount("/dev/null", target, NULL, MS_BIND, NULL);
  if (result < 0) fail(EXIT_CANNOT_START, "cannot mask %s", path);
  close(fd);
}

/* Volumes from in there are mounted elsewhere already, and the one that stands there itself was asked for. */
static void hide(struct root *root, const char *path) {
  for (size_t i = 0; i < root->mounted_count; i++) {
    const char *mounted = root->mounted[i];
    size_t length = strlen(path);
    if (strcmp(mounted, path) == 0) return;
    if (strncmp(mounted, path, length) == 0 && mounted[length] == '/')
      failx(EXIT_CANNOT_START, "cannot mount anything at %s: %s belongs to the agent", mounted, path);
  }
  cover(root, path);
}

static void freeze_path(struct root *root, const char *path) {
  int fd = open_in_root(root->fd, path, 0);
  if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) return;
  if (fd < 0) fail(EXIT_CANNOT_START, "cannot make %s read-only", path);
  int tree = (int)syscall(SYS_open_tree, fd, "", OPEN_TREE_CLONE | O_CLOEXEC | AT_RECURSIVE | AT_EMPTY_PATH);
  if (tree < 0 || syscall(SYS_move_mount, tree, "", fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
    fail(EXIT_CANNOT_START, "cannot make %s read-only", path);
  char *mounted = fd_path(tree);
  remount_readonly(mounted);
  free(mounted);
  close(tree);
  close(fd);
}

static void pivot(const struct root *root) {
  if (mount(NULL, root->path, NULL, MS_PRIVATE, NULL) < 0 || fchdir(root->fd) < 0 ||
      syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
    fail(EXIT_CANNOT_START, "cannot change the root");
}

void enter_new_root(const struct spec *spec, struct volumes *volumes, int shm_fd) {
  /*
   * Slave: what the host unmounts goes away here too, nothing from here ever reaches the host. Where the root is
   * read-only, private: what the host mounts later would be writable.
   */
  bool readonly = spec_is(spec, "readonlyRoot", "1");
  if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, (readonly ? MS_PRIVATE : MS_SLAVE) | MS_REC, NULL) < 0)
    fail(EXIT_CANNOT_START, "cannot make a mount namespace");
  struct root root = {.path = realpath(spec_get(spec, "root"), NULL)};
  if (root.path == NULL) fail(EXIT_CANNOT_START, "cannot find %s", spec_get(spec, "root"));
  root.mounted = must_alloc((volumes->count + 1) * sizeof *root.mounted);
  /* Unbindable: the recursive bind mounts of the host's directories must not copy the new root into itself. */
  if (mount("tmpfs", root.path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") < 0 ||
      mount(NULL, root.path, NULL, MS_UNBINDABLE, NULL) < 0)
    fail(EXIT_CANNOT_START, "cannot mount the new root");
  root.fd = open(root.path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (root.fd < 0) fail(EXIT_CANNOT_START, "cannot open the new root");
  remember_synthetic(&root, root.fd);

  make_host_root(&root, spec);
  if (readonly) {
    /* The new root itself is made read-only at the end: mount points may still have to be made in it. */
    char *dev = format("%s/dev", root.path), *proc = format("%s/proc", root.path);
    remount_readonly_below(root.path, false, (char *[]){dev, proc, NULL});
  }
  if (!spec_is(spec, "ipc", "host") && open_plain(root.fd, "/dev/mqueue", O_DIRECTORY) >= 0)
    mount_new(&root, "/dev/mqueue", "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC);
  if (shm_fd >= 0) mount_tree(&root, shm_fd, make_target(&root, "/dev/shm", true), "the sandbox's /dev/shm");
  for (size_t i = 0; i < volumes->count; i++) mount_volume(&root, &volumes->items[i]);
  size_t position = 0;
  const char *path;
  while ((path = spec_next(spec, "hiddenPath", &position)) != NULL) hide(&root, path);
  position = 0;
  while ((path = spec_next(spec, "maskedPath", &position)) != NULL) cover(&root, path);
  position = 0;
  while ((path = spec_next(spec, "readonlyPath", &position)) != NULL) freeze_path(&root, path);
  for (size_t i = 0; readonly && i < root.synthetic_count; i++) {
    char *mounted = fd_path(root.synthetic[i]);
    remount_readonly(mounted);
    free(mounted);
  }
  pivot(&root);
  close(root.fd);
}
