/*
 * `attach [--stdin] BUNDLE`: conmon's attach socket as plain streams. The socket keeps packet boundaries (SOCK_SEQPACKET), which
 * Node cannot use: packets from conmon start with a byte that names the stream, packets to it are input.
 */
#define _GNU_SOURCE
#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { STDERR_PIPE = 3, PACKET = 8192 };

static int connect_to(const char *bundle) {
  /* By a relative name: the path of a socket may be 107 bytes at most. */
  struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "attach"};
  int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (chdir(bundle) < 0 || fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
    fail(1, "cannot attach to the container");
  return fd;
}

/* Until conmon closes the socket or the agent the control channel. */
static void relay(int socket_fd, bool takes_input) {
  struct pollfd entries[3] = {
      {.fd = socket_fd, .events = POLLIN}, {.fd = takes_input ? 0 : -1, .events = POLLIN}, {.fd = CONTROL_FD}};
  for (;;) {
    if (poll(entries, 3, -1) < 0 && errno != EINTR) fail(1, "cannot poll");
    char packet[PACKET + 1];
    if (entries[2].revents != 0) return;
    if (entries[0].revents != 0) {
      ssize_t count = read(socket_fd, packet, sizeof packet);
      if (count <= 0) return;
      int to = packet[0] == STDERR_PIPE ? 2 : 1;
      if (!write_all(to, packet + 1, (size_t)count - 1)) return;
    }
    if (entries[1].revents != 0) {
      ssize_t count = read(0, packet, PACKET);
      if (count > 0 && send(socket_fd, packet, (size_t)count, 0) < 0) return;
      if (count <= 0) {
        shutdown(socket_fd, SHUT_WR);
        entries[1].fd = -1;
      }
    }
  }
}

int command_attach(int argc, char **argv) {
  bool takes_input = argc == 3 && strcmp(argv[1], "--stdin") == 0;
  if (argc != 2 && !takes_input) failx(2, "usage: roslet-oci attach [--stdin] BUNDLE");
  signal(SIGPIPE, SIG_IGN);
  on_failure = say_failure;
  int socket_fd = connect_to(argv[argc - 1]);
  say("connected\n");
  relay(socket_fd, takes_input);
  say("exit 0\n");
  return 0;
}
