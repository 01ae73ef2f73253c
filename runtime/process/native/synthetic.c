/*
 * Directories in which mount points can be made without touching the host: a tmpfs over a directory, with a bind mount
 * of everything that the directory holds.
 */
#define _GNU_SOURCE
#include "rootfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_LINKS = 40, MAX_ENTRIES = 4096 };

char *fd_path(int fd) { return format("/proc/self/fd/%d", fd); }

void bind_mount(int source_fd, int target_fd, const char *what) {
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

void bring_in_all(int below, int above, const char *path, const char *const *except) {
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

void remember_synthetic(struct root *root, int fd) {
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

char *make_target(struct root *root, const char *target, bool directory) {
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
