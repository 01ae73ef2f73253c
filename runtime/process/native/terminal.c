/* Pseudo terminals. The master goes to whoever relays: conmon (by its console socket) or `exec` itself. */
#define _GNU_SOURCE
#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int open_terminal(int *terminal_fd) {
  int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
  int unlock = 0;
  if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) < 0) fail(EXIT_CANNOT_START, "cannot make a terminal");
  *terminal_fd = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (*terminal_fd < 0) fail(EXIT_CANNOT_START, "cannot open the terminal");
  return master;
}

void adopt_terminal(int terminal_fd) {
  if (ioctl(terminal_fd, TIOCSCTTY, 0) < 0) fail(EXIT_CANNOT_START, "cannot take the terminal");
  for (int fd = 0; fd < 3; fd++)
    if (dup2(terminal_fd, fd) < 0) fail(EXIT_CANNOT_START, "cannot use the terminal");
}

void send_descriptor(const char *socket_path, int fd) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(socket_path) >= sizeof address.sun_path) failx(EXIT_CANNOT_START, "console socket path is too long");
  strcpy(address.sun_path, socket_path);
  int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connection < 0 || connect(connection, (struct sockaddr *)&address, sizeof address) < 0)
    fail(EXIT_CANNOT_START, "cannot reach the console socket %s", socket_path);
  char name[] = "/dev/ptmx";
  struct iovec data = {.iov_base = name, .iov_len = sizeof name};
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
  } control = {0};
  struct msghdr message = {
      .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.space};
  control.header.cmsg_level = SOL_SOCKET;
  control.header.cmsg_type = SCM_RIGHTS;
  control.header.cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
  if (sendmsg(connection, &message, 0) < 0) fail(EXIT_CANNOT_START, "cannot hand over the terminal");
  close(connection);
}
