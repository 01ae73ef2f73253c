/* Making mounts read-only, one by one, as the mount table lists them. */
#define _GNU_SOURCE
#include "rootfs.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

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

void remount_readonly(const char *path) {
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

void remount_readonly_below(const char *path, bool itself, char *const *except) {
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

bool is_shared(int fd) {
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
