/*
 * `dial "PID START" PORT`: one TCP connection to a port on the loopback address of a sandbox's network namespace, as
 * standard input and output. Says `connected` on the control channel, and ends with it.
 */
#define _GNU_SOURCE
#include "common.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int connect_loopback(unsigned short port) {
  struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_loopback};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && connect(fd, (struct sockaddr *)&v4, sizeof v4) == 0) return fd;
  int number = errno;
  close(fd);
  fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && connect(fd, (struct sockaddr *)&v6, sizeof v6) == 0) return fd;
  errno = number;
  fail(1, "cannot connect to port %u", port);
}

int command_dial(int argc, char **argv) {
  if (argc != 3) failx(2, "usage: roslet-oci dial \"PID START\" PORT");
  signal(SIGPIPE, SIG_IGN);
  on_failure = say_failure;
  pid_t pid;
  unsigned long long start_time;
  parse_process(argv[1], &pid, &start_time);
  int namespace_fd = open_namespace(pid, start_time, "net");
  if (setns(namespace_fd, CLONE_NEWNET) < 0) fail(1, "cannot enter the network namespace");
  int connection = connect_loopback((unsigned short)strtoul(argv[2], NULL, 10));
  say("connected\n");
  struct stream *out = new_stream(0, connection, AT_END_SHUTDOWN), *in = new_stream(connection, 1, AT_END_SHUTDOWN);
  bool sending = true, receiving = true;
  while (receiving || out->start < out->end) {
    struct pollfd entries[5] = {[4] = {.fd = CONTROL_FD}};
    stream_wants(out, entries);
    stream_wants(in, entries + 2);
    if (poll(entries, 5, -1) < 0 && errno != EINTR) fail(1, "cannot poll");
    if (entries[4].revents != 0) return 0;
    if (sending) sending = stream_step(out, entries);
    if (receiving) receiving = stream_step(in, entries + 2);
  }
  return 0;
}
