/*
 * roslet-cri-relay SOCKET SECONDS: carries one HTTP/2 connection between the agent (descriptor 3) and a container runtime,
 * and outlives the agent. A runtime takes back what it is starting when its caller's connection ends. So this program keeps
 * the connection open when the agent is gone, until the runtime has answered every request that had reached it whole, for
 * SECONDS at most. It understands of HTTP/2 (RFC 9113) only where frames begin and which of them end a stream.
 * Ends with 1 when the runtime does not listen.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { AGENT_FD = 3, EXIT_NO_RUNTIME = 1, EXIT_USAGE = 2, EXIT_FAILED = 3 };
enum { FRAME_HEADER = 9, PREFACE = 24 };
enum { DATA = 0, HEADERS = 1, RST_STREAM = 3 };
enum { END_STREAM = 1 };

/* The requests that are under way. */
struct request {
  uint32_t stream;
  /* The runtime has all of it, so it will be answered. */
  bool whole;
};
static struct request *requests;
static size_t request_count, request_room;

static struct request *find(uint32_t stream) {
  for (size_t i = 0; i < request_count; i++)
    if (requests[i].stream == stream) return &requests[i];
  return NULL;
}

static void begin(uint32_t stream) {
  if (find(stream) != NULL) return;
  if (request_count == request_room) {
    request_room = request_room == 0 ? 64 : 2 * request_room;
    requests = realloc(requests, request_room * sizeof *requests);
    if (requests == NULL) _exit(EXIT_FAILED);
  }
  requests[request_count++] = (struct request){.stream = stream};
}

static void end(uint32_t stream) {
  struct request *request = find(stream);
  if (request != NULL) *request = requests[--request_count];
}

static void from_agent(uint8_t type, uint8_t flags, uint32_t stream) {
  if (type == HEADERS) begin(stream);
  if (type == RST_STREAM) end(stream);
  struct request *request = find(stream);
  if ((type == HEADERS || type == DATA) && (flags & END_STREAM) && request != NULL) request->whole = true;
}

static void from_runtime(uint8_t type, uint8_t flags, uint32_t stream) {
  if (type == RST_STREAM || ((type == HEADERS || type == DATA) && (flags & END_STREAM))) end(stream);
}

/* One direction: what was read and is not yet written, and where in its frames the reading is. */
struct direction {
  void (*on_frame)(uint8_t type, uint8_t flags, uint32_t stream);
  /* Bytes until the next frame header. */
  size_t skip;
  unsigned char header[FRAME_HEADER];
  size_t header_size;
  uint32_t stream;
  size_t start;
  size_t end;
  unsigned char data[16384];
};
static struct direction up = {.on_frame = from_agent, .skip = PREFACE}, down = {.on_frame = from_runtime};

static void follow(struct direction *direction, const unsigned char *bytes, size_t size) {
  while (size > 0) {
    size_t taken = direction->skip < size ? direction->skip : size;
    direction->skip -= taken;
    bytes += taken;
    size -= taken;
    if (size == 0) return;
    direction->header[direction->header_size++] = *bytes++;
    size--;
    if (direction->header_size < FRAME_HEADER) continue;
    const unsigned char *h = direction->header;
    direction->header_size = 0;
    direction->skip = (size_t)h[0] << 16 | (size_t)h[1] << 8 | h[2];
    direction->stream = ((uint32_t)h[5] << 24 | (uint32_t)h[6] << 16 | (uint32_t)h[7] << 8 | h[8]) & 0x7fffffff;
    direction->on_frame(h[3], h[4], direction->stream);
  }
}

static bool is_empty(const struct direction *direction) { return direction->start == direction->end; }

/* False at the end of the source. */
static bool fill(struct direction *direction, int fd) {
  ssize_t count = read(fd, direction->data, sizeof direction->data);
  /* A reset says that the other end left something unread; what it had written can still be read. */
  if (count < 0) return errno == EAGAIN || errno == EINTR || errno == ECONNRESET;
  direction->start = 0;
  direction->end = (size_t)count;
  follow(direction, direction->data, (size_t)count);
  return count > 0;
}

/* False when nobody reads any more. */
static bool drain(struct direction *direction, int fd) {
  ssize_t count = send(fd, direction->data + direction->start, direction->end - direction->start, MSG_NOSIGNAL);
  if (count < 0) return errno == EAGAIN || errno == EINTR;
  direction->start += (size_t)count;
  return true;
}

static int connect_to(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) _exit(EXIT_USAGE);
  strcpy(address.sun_path, path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) _exit(EXIT_FAILED);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) _exit(EXIT_NO_RUNTIME);
  return fd;
}

static bool awaits_answer(void) {
  for (size_t i = 0; i < request_count; i++)
    if (requests[i].whole) return true;
  return false;
}

int main(int argc, char **argv) {
  unsigned long seconds = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
  if (seconds == 0) return EXIT_USAGE;
  int runtime = connect_to(argv[1]);
  int agent = AGENT_FD;
  if (fcntl(runtime, F_SETFL, O_NONBLOCK) < 0 || fcntl(agent, F_SETFL, O_NONBLOCK) < 0) return EXIT_USAGE;
  while (agent >= 0 || !is_empty(&up) || awaits_answer()) {
    struct pollfd entries[2] = {
        {.fd = agent, .events = (short)((is_empty(&up) ? POLLIN : 0) | (is_empty(&down) ? 0 : POLLOUT))},
        {.fd = runtime, .events = (short)((is_empty(&down) ? POLLIN : 0) | (is_empty(&up) ? 0 : POLLOUT))},
    };
    if (entries[0].events == 0) entries[0].fd = -1;
    if (entries[1].events == 0) entries[1].fd = -1;
    if (poll(entries, 2, -1) < 0 && errno != EINTR) return EXIT_FAILED;
    if (entries[1].fd >= 0 && entries[1].revents != 0) {
      if (!is_empty(&up) && !drain(&up, runtime)) return 0;
      if (is_empty(&down) && (entries[1].revents & ~POLLOUT) && !fill(&down, runtime)) return 0;
    }
    if (agent >= 0 && entries[0].fd >= 0 && entries[0].revents != 0) {
      /* An agent that reads no more may still have written: only the end of what it wrote is its end. */
      if (!is_empty(&down) && !drain(&down, agent)) down.start = down.end;
      if (is_empty(&up) && (entries[0].revents & ~POLLOUT) && !fill(&up, agent)) {
        agent = -1;
        /* A request that was cut short is never answered. */
        if (up.skip > 0) end(up.stream);
        alarm((unsigned)seconds);
      }
    }
    if (agent < 0) down.start = down.end;
  }
  return 0;
}
