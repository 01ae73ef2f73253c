/* Errors, the record format, and how a process is named for good (pid and start time). */
#define _GNU_SOURCE
#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int error_fd = -1;
void (*on_failure)(int code, const char *message) = NULL;

static _Noreturn void report(int code, const char *text, int number) {
  char line[4096];
  int length = number == 0 ? snprintf(line, sizeof line, "%d %s", code, text)
                           : snprintf(line, sizeof line, "%d %s: %s", code, text, strerror(number));
  if (length >= (int)sizeof line) length = sizeof line - 1;
  const char *message = strchr(line, ' ') + 1;
  if (on_failure != NULL) {
    on_failure(code, message);
  } else if (error_fd >= 0) {
    write_all(error_fd, line, (size_t)length);
  } else {
    dprintf(STDERR_FILENO, "roslet-oci: %s\n", message);
  }
  _exit(code);
}

void fail(int code, const char *pattern, ...) {
  int number = errno;
  char text[3584];
  va_list arguments;
  va_start(arguments, pattern);
  vsnprintf(text, sizeof text, pattern, arguments);
  va_end(arguments);
  report(code, text, number);
}

void failx(int code, const char *pattern, ...) {
  char text[3584];
  va_list arguments;
  va_start(arguments, pattern);
  vsnprintf(text, sizeof text, pattern, arguments);
  va_end(arguments);
  report(code, text, 0);
}

void *must_alloc(size_t size) {
  void *memory = calloc(1, size);
  if (memory == NULL) failx(EXIT_CANNOT_START, "out of memory");
  return memory;
}

char *format(const char *pattern, ...) {
  char *text = NULL;
  va_list arguments;
  va_start(arguments, pattern);
  int length = vasprintf(&text, pattern, arguments);
  va_end(arguments);
  if (length < 0) failx(EXIT_CANNOT_START, "out of memory");
  return text;
}

struct spec read_spec(const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat info;
  if (fd < 0 || fstat(fd, &info) < 0) fail(EXIT_CANNOT_START, "cannot read the record %s", path);
  size_t size = (size_t)info.st_size;
  char *text = must_alloc(size + 1);
  for (size_t done = 0; done < size;) {
    ssize_t count = read(fd, text + done, size - done);
    if (count <= 0) fail(EXIT_CANNOT_START, "cannot read the record %s", path);
    done += (size_t)count;
  }
  close(fd);
  struct spec spec = {0};
  for (size_t i = 0; i < size; i++) spec.count += text[i] == '\0';
  spec.items = must_alloc((spec.count + 1) * sizeof *spec.items);
  char *item = text;
  for (size_t i = 0; i < spec.count; i++, item += strlen(item) + 1) spec.items[i] = item;
  return spec;
}

const char *spec_next(const struct spec *spec, const char *key, size_t *position) {
  size_t length = strlen(key);
  while (*position < spec->count) {
    const char *item = spec->items[(*position)++];
    if (strncmp(item, key, length) == 0 && item[length] == '=') return item + length + 1;
  }
  return NULL;
}

const char *spec_get(const struct spec *spec, const char *key) {
  size_t position = 0;
  return spec_next(spec, key, &position);
}

bool spec_is(const struct spec *spec, const char *key, const char *value) {
  const char *actual = spec_get(spec, key);
  return actual != NULL && strcmp(actual, value) == 0;
}

char **spec_vector(const struct spec *spec, const char *key) {
  char **vector = must_alloc((spec->count + 1) * sizeof *vector);
  size_t count = 0, position = 0;
  const char *value;
  while ((value = spec_next(spec, key, &position)) != NULL) vector[count++] = (char *)value;
  return vector;
}

bool write_all(int fd, const void *data, size_t size) {
  const char *rest = data;
  while (size > 0) {
    ssize_t count = write(fd, rest, size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    rest += count;
    size -= (size_t)count;
  }
  return true;
}

void say(const char *line) { write_all(CONTROL_FD, line, strlen(line)); }

void say_failure(int code, const char *message) { say(format("failed %d %s\n", code, message)); }

bool write_file(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  bool written = write_all(fd, text, strlen(text));
  int number = errno;
  close(fd);
  errno = number;
  return written;
}

ssize_t read_file(const char *path, char *buffer, size_t size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  ssize_t count = read(fd, buffer, size - 1);
  close(fd);
  if (count >= 0) buffer[count] = '\0';
  return count;
}

unsigned long long process_start_time(pid_t pid) {
  char path[64], text[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  if (read_file(path, text, sizeof text) <= 0) return 0;
  /* The command name may hold blanks and brackets: fields are counted from the last bracket; start time is number 22. */
  char *field = strrchr(text, ')');
  for (int i = 2; field != NULL && i < 22; i++) field = strchr(field + 1, ' ');
  return field == NULL ? 0 : strtoull(field + 1, NULL, 10);
}

int open_namespace(pid_t pid, unsigned long long start_time, const char *name) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)pid, name);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || process_start_time(pid) != start_time)
    failx(EXIT_CANNOT_START, "the process %d that holds the %s namespace is gone", (int)pid, name);
  return fd;
}

void parse_process(const char *text, pid_t *pid, unsigned long long *start_time) {
  int number;
  if (sscanf(text, "%d %llu", &number, start_time) != 2) failx(EXIT_CANNOT_START, "not a process: %s", text);
  *pid = number;
}
