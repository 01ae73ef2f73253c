/* Copies bytes between descriptors without ever blocking: the reader's pace holds the writer back. */
#define _GNU_SOURCE
#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

struct stream *new_stream(int from, int to, int at_end) {
  struct stream *stream = must_alloc(sizeof *stream);
  stream->from = from;
  stream->to = to;
  stream->at_end = at_end;
  fcntl(from, F_SETFL, fcntl(from, F_GETFL) | O_NONBLOCK);
  fcntl(to, F_SETFL, fcntl(to, F_GETFL) | O_NONBLOCK);
  return stream;
}

void stream_wants(const struct stream *stream, struct pollfd *entries) {
  bool empty = stream->start == stream->end;
  entries[0] = (struct pollfd){.fd = empty ? stream->from : -1, .events = POLLIN};
  entries[1] = (struct pollfd){.fd = empty ? -1 : stream->to, .events = POLLOUT};
}

static void finish(struct stream *stream) {
  if (stream->at_end == AT_END_SHUTDOWN) shutdown(stream->to, SHUT_WR);
  if (stream->at_end == AT_END_CLOSE) close(stream->to);
  if (stream->at_end == AT_END_VEOF) {
    /* A terminal cannot be half closed: its end of file character says the same to a program that reads lines. */
    struct termios settings;
    if (tcgetattr(stream->to, &settings) == 0 && (settings.c_lflag & ICANON)) write_all(stream->to, &settings.c_cc[VEOF], 1);
  }
  stream->from = stream->to = -1;
  stream->start = stream->end = 0;
}

bool stream_step(struct stream *stream, const struct pollfd *entries) {
  if (stream->from < 0) return false;
  if (entries[0].fd >= 0 && entries[0].revents != 0) {
    ssize_t count = read(stream->from, stream->data, sizeof stream->data);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (count <= 0) {
      finish(stream);
      return false;
    }
    stream->start = 0;
    stream->end = (size_t)count;
  }
  if (stream->start < stream->end) {
    ssize_t count = write(stream->to, stream->data + stream->start, stream->end - stream->start);
    if (count < 0 && errno != EAGAIN && errno != EINTR) {
      /* Nobody reads any more: the source must see that too. */
      close(stream->from);
      finish(stream);
      return false;
    }
    if (count > 0) stream->start += (size_t)count;
  }
  return true;
}
