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
#include "common.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

enum { MAX_LINKS = 40, MAX_ENTRIES = 4096, MAX_SYNTHETIC = 256 };

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

static char *fd_path(int fd) { return format("/proc/self/fd/%d", fd); }

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

static void bind_mount(int source_fd, int target_fd, const char *what) {
  char *source = fd_path(source_fd), *target = fd_path(target_fd);
  if (mount(source, target, NULL, MS_BIND | MS_REC, NULL) < 0)
    fail(EXIT_CANNOT_START, "cannot bind mount %s", what);
  free(source);
  free(target);
}

/* Makes `name` in `above` be what it is in `below`. What vanished meanwhile is left out. */
static void bring_in(int below, int above, const char *name) {
  struct stat info;
  if (fstatat(below, name, &info, AT_SYMLINK_NOFOLLOW) < 0) return;
  if (S_ISLNK(info.st_mode)) {
    char link[PATH_MAX];
    ssize_t length = readlinkat(below, name, link, sizeof link - 1);
    if (length < 0) return;
    link[length] = '\0';
    if (symlinkat(link, above, name) < 0) fail(EXIT_CANNOT_START, "cannot link %s", name);
    return;
  }
  int source = openat(below, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (source < 0) return;
  int made = S_ISDIR(info.st_mode) ? mkdirat(above, name, info.st_mode & 07777)
                                   : mknodat(above, name, S_IFREG | 0600, 0);
  int target = made < 0 ? -1 : openat(above, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (target < 0) fail(EXIT_CANNOT_START, "cannot make a place for %s", name);
  bind_mount(source, target, name);
  close(source);
  close(target);
}

static bool is_one_of(const char *name, const char *const *names) {
  for (; *names != NULL; names++)
    if (strcmp(name, *names) == 0) return true;
  return false;
}

static void bring_in_all(int below, int above, const char *path, const char *const *except) {
  int fd = openat(below, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *directory = fd < 0 ? NULL : fdopendir(fd);
  if (directory == NULL) fail(EXIT_CANNOT_START, "cannot read %s", path);
  struct dirent *entry;
  for (size_t count = 0; (entry = readdir(directory)) != NULL;) {
    if (is_one_of(entry->d_name, (const char *const[]){".", "..", NULL}) || is_one_of(entry->d_name, except)) continue;
    if (++count > MAX_ENTRIES)
      failx(EXIT_CANNOT_START, "%s has too many entries to make a mount point in it: make it on the host", path);
    bring_in(below, above, entry->d_name);
  }
  closedir(directory);
}

static void remember_synthetic(struct root *root, int fd) {
  struct stat info;
  if (root->synthetic_count == MAX_SYNTHETIC) failx(EXIT_CANNOT_START, "too many missing mount points");
  if (fstat(fd, &info) < 0) fail(EXIT_CANNOT_START, "cannot look at a directory just made");
  root->devices[root->synthetic_count] = info.st_dev;
  root->synthetic[root->synthetic_count++] = fd;
}

static void mount_memory(int target_fd, const struct stat *like) {
  char *target = fd_path(target_fd);
  char *options = format("mode=%o,uid=%u,gid=%u", like->st_mode & 07777, like->st_uid, like->st_gid);
  if (mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV, options) < 0)
    fail(EXIT_CANNOT_START, "cannot mount a tmpfs");
  free(target);
  free(options);
}

static void make_synthetic(struct root *root, const char *path) {
  int below = open_plain(root->fd, path, O_DIRECTORY);
  struct stat info;
  if (below < 0 || fstat(below, &info) < 0) fail(EXIT_CANNOT_START, "cannot open %s", path);
  mount_memory(below, &info);
  int above = open_plain(root->fd, path, O_DIRECTORY);
  if (above < 0) fail(EXIT_CANNOT_START, "cannot open %s", path);
  bring_in_all(below, above, path, (const char *const[]){NULL});
  remember_synthetic(root, above);
  close(below);
}

static bool in_memory(const struct root *root, int fd) {
  struct stat info;
  if (fstat(fd, &info) < 0) return false;
  for (size_t i = 0; i < root->synthetic_count; i++)
    if (root->devices[i] == info.st_dev) return true;
  return false;
}

static bool in_volume(const struct root *root, const char *path) {
  for (size_t i = 0; i < root->mounted_count; i++) {
    size_t length = strlen(root->mounted[i]);
    if (strncmp(path, root->mounted[i], length) == 0 && (path[length] == '/' || path[length] == '\0')) return true;
  }
  return false;
}

static int make_entry(int parent, const char *name, bool directory) {
  return directory ? mkdirat(parent, name, 0755) : mknodat(parent, name, S_IFREG | 0644, 0);
}

/* `parent` is the path of an existing directory without symbolic links. */
static void make_missing(struct root *root, const char *parent, const char *name, bool directory) {
  int fd = open_plain(root->fd, parent, O_DIRECTORY);
  if (fd < 0) fail(EXIT_CANNOT_START, "cannot open %s", parent);
  /* Elsewhere it would be made on the host. */
  bool allowed = in_memory(root, fd) || in_volume(root, parent);
  errno = EROFS;
  int made = allowed ? make_entry(fd, name, directory) : -1;
  if (made < 0 && errno == EROFS) {
    make_synthetic(root, parent);
    close(fd);
    fd = open_plain(root->fd, parent, O_DIRECTORY);
    made = make_entry(fd, name, directory);
  }
  if (made < 0 && errno != EEXIST) fail(EXIT_CANNOT_START, "cannot make the mount point %s/%s", parent, name);
  close(fd);
}

/*
 * Follows `target` in the new root, making what is missing, and returns its path without symbolic links. Links are
 * followed here, one at a time, so that also what a dangling link points to can be made.
 */
static char *make_target(struct root *root, const char *target, bool directory) {
  char *done = format("%s", ""), *rest = format("%s", target);
  for (int links = 0;;) {
    rest += strspn(rest, "/");
    if (*rest == '\0') return *done == '\0' ? format("/") : done;
    size_t length = strcspn(rest, "/");
    char *name = format("%.*s", (int)length, rest);
    rest += length;
    if (strcmp(name, ".") == 0) continue;
    if (strcmp(name, "..") == 0) {
      char *slash = strrchr(done, '/');
      if (slash != NULL) *slash = '\0';
      continue;
    }
    char *next = format("%s/%s", done, name);
    int fd = open_plain(root->fd, next, O_NOFOLLOW);
    struct stat info;
    if (fd < 0 && errno == ENOENT) {
      bool last = rest[strspn(rest, "/")] == '\0';
      make_missing(root, *done == '\0' ? "/" : done, name, directory || !last);
      done = next;
      continue;
    }
    if (fd < 0 || fstat(fd, &info) < 0) fail(EXIT_CANNOT_START, "cannot open %s in %s", next, target);
    if (S_ISLNK(info.st_mode)) {
      char link[PATH_MAX];
      ssize_t size = readlinkat(fd, "", link, sizeof link - 1);
      if (size < 0 || ++links > MAX_LINKS) fail(EXIT_CANNOT_START, "cannot follow %s in %s", next, target);
      link[size] = '\0';
      rest = format("%s/%s", link, rest);
      if (*link == '/') done = format("%s", "");
    } else {
      done = next;
    }
    close(fd);
  }
}

/* mountinfo writes blanks and backslashes as octal numbers. */
static void unescape(char *text) {
  char *to = text;
  for (char *from = text; *from != '\0'; to++) {
    if (*from == '\\' && strlen(from) >= 4) {
      *to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
      from += 4;
    } else {
      *to = *from++;
    }
  }
  *to = '\0';
}

static void remount_readonly(const char *path) {
  struct statvfs info;
  if (statvfs(path, &info) < 0) fail(EXIT_CANNOT_START, "cannot look at the mount %s", path);
  unsigned long flags = MS_REMOUNT | MS_BIND | MS_RDONLY;
  if (info.f_flag & ST_NOSUID) flags |= MS_NOSUID;
  if (info.f_flag & ST_NODEV) flags |= MS_NODEV;
  if (info.f_flag & ST_NOEXEC) flags |= MS_NOEXEC;
  if (info.f_flag & ST_NOATIME) flags |= MS_NOATIME;
  if (info.f_flag & ST_NODIRATIME) flags |= MS_NODIRATIME;
  if (mount(NULL, path, NULL, flags, NULL) < 0) fail(EXIT_CANNOT_START, "cannot make %s read-only", path);
}

static bool is_below(const char *path, const char *directory) {
  size_t length = strlen(directory);
  return strncmp(path, directory, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* Every mount below `path`, and `path` with `itself`, but none below one of `except`. By mountinfo, which any kernel has. */
static void remount_readonly_below(const char *path, bool itself, char *const *except) {
  FILE *mounts = fopen("/proc/self/mountinfo", "re");
  if (mounts == NULL) fail(EXIT_CANNOT_START, "cannot read the mount table");
  char *line = NULL;
  size_t size = 0;
  while (getline(&line, &size, mounts) > 0) {
    char *field = line;
    for (int i = 0; i < 4 && field != NULL; i++) field = strchr(field + 1, ' ');
    if (field == NULL) continue;
    char *mount_point = field + 1;
    mount_point[strcspn(mount_point, " \n")] = '\0';
    unescape(mount_point);
    bool skip = !is_below(mount_point, path) || (!itself && strcmp(mount_point, path) == 0);
    for (char *const *other = except; *other != NULL && !skip; other++) skip = is_below(mount_point, *other);
    if (!skip) remount_readonly(mount_point);
  }
  free(line);
  fclose(mounts);
}

/* A mount that is to propagate to the host must be a peer of a host's mount. */
static bool is_shared(int fd) {
  struct statx info;
  if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &info) < 0) return false;
  FILE *mounts = fopen("/proc/self/mountinfo", "re");
  if (mounts == NULL) fail(EXIT_CANNOT_START, "cannot read the mount table");
  char *line = NULL;
  size_t size = 0;
  bool shared = false;
  while (getline(&line, &size, mounts) > 0) {
    if (strtoull(line, NULL, 10) != info.stx_mnt_id) continue;
    char *end = strstr(line, " - ");
    char *mark = strstr(line, " shared:");
    shared = mark != NULL && mark < end;
  }
  free(line);
  fclose(mounts);
  return shared;
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
  /* Slave: what the host unmounts goes away here too, nothing from here ever reaches the host. */
  if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0)
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
  bool readonly = spec_is(spec, "readonlyRoot", "1");
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
