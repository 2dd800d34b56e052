// The bench's origin: origin PORT answers GET /128, /1k and /100k with bodies of that size, whatever segments come
// before, as cheaply as it can; and GET /o/NUMBER with an object that caches may keep for a day, of a size of its own
// (objects.h). GET /count tells how many objects it was asked for.
// One thread, level-triggered epoll, HTTP/1.1 keep-alive, replies built before the first request, but for the heads of
// objects. It trusts its client, which is a proxy under test: heads of up to 8 KiB, no bodies, 404 for other paths.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "objects.h"

enum { kHead = 8192, kConnections = 20000, kEvents = 256, kReplies = 4, kObjectHead = 256, kObjectBody = 64 * 1024 };

typedef struct {
  const char* path;
  size_t body;
  char* bytes;
  size_t size;
} Reply;

static Reply replies[kReplies] = {{.path = "/128 ", .body = 128},
                                  {.path = "/1k ", .body = 1024},
                                  {.path = "/100k ", .body = 100 * 1024},
                                  {.path = NULL, .body = 0}};

// A connection reads a head into `in`, then sends `reply` from `sent` on; it does one of the two at a time.
typedef struct {
  char in[kHead];
  size_t have;
  const Reply* reply;
  Reply own;   // an object, or the count
  char* room;  // for it: of kObjectHead + kObjectBody; null until the first one
  size_t sent;
  bool is_blocked;
} Connection;

static Connection* connections[kConnections];
static int poller;
static uint64_t count_of_objects;

static void fail(const char* what) {
  perror(what);
  exit(1);
}

static void build(Reply* reply) {
  reply->bytes = malloc(256 + reply->body);
  if (!reply->bytes) fail("malloc");
  const char* status = reply->path ? "200 OK" : "404 Not Found";
  const int head = sprintf(reply->bytes, "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n",
                           status, reply->body);
  memset(reply->bytes + head, 'x', reply->body);
  reply->size = (size_t)head + reply->body;
}

static const Reply* reply_to(const char* head) {
  const char* path = strchr(head, ' ');
  const char* end = path ? strchr(path + 1, ' ') : NULL;
  for (int i = 0; end && replies[i].path; ++i) {
    const size_t size = strlen(replies[i].path);
    if (end - path >= (long)size && memcmp(end + 1 - size, replies[i].path, size) == 0) return &replies[i];
  }
  return &replies[kReplies - 1];
}

// The room's body stays as it is; only a head is written, so that it ends where the body begins.
static const Reply* reply_with(Connection* c, const char* fields, const char* body, size_t size) {
  if (!c->room) {
    c->room = malloc(kObjectHead + kObjectBody);
    if (!c->room) fail("malloc");
    memset(c->room, 'x', kObjectHead + kObjectBody);
  }
  char head[kObjectHead];
  const int head_size =
      snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\n%sContent-Length: %zu\r\n\r\n%s", fields, size, body);
  c->own.bytes = c->room + kObjectHead - head_size;
  memcpy(c->own.bytes, head, (size_t)head_size);
  c->own.size = (size_t)head_size + size - strlen(body);
  return &c->own;
}

static const Reply* object(Connection* c, uint64_t number) {
  ++count_of_objects;
  return reply_with(c, "Content-Type: text/plain\r\nCache-Control: max-age=86400\r\n", "", size_of_object(number));
}

static const Reply* count(Connection* c) {
  char body[32];
  return reply_with(c, "", body, (size_t)sprintf(body, "%" PRIu64, count_of_objects));
}

static const Reply* choose_reply(Connection* c) {
  if (strncmp(c->in, "GET /o/", 7) == 0) return object(c, strtoull(c->in + 7, NULL, 10));
  return strncmp(c->in, "GET /count ", 11) == 0 ? count(c) : reply_to(c->in);
}

static void watch(int fd, int operation, unsigned events) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  if (epoll_ctl(poller, operation, fd, &event) < 0) fail("epoll_ctl");
}

static void drop(int fd) {
  free(connections[fd]->room);
  free(connections[fd]);
  connections[fd] = NULL;
  close(fd);
}

// Sends what is left of the reply. False: the connection is gone.
static bool push(int fd, Connection* c) {
  while (c->sent < c->reply->size) {
    const ssize_t n = send(fd, c->reply->bytes + c->sent, c->reply->size - c->sent, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) return false;
    const bool is_blocked = n < 0;
    if (is_blocked != c->is_blocked) watch(fd, EPOLL_CTL_MOD, is_blocked ? EPOLLOUT : EPOLLIN);
    c->is_blocked = is_blocked;
    if (is_blocked) return true;
    c->sent += (size_t)n;
  }
  c->reply = NULL;
  return true;
}

// Answers every whole head in the buffer. False: the connection is gone.
static bool answer(int fd, Connection* c) {
  char* end;
  while (!c->reply && (end = strstr(c->in, "\r\n\r\n"))) {
    c->reply = choose_reply(c);
    c->sent = 0;
    const size_t used = (size_t)(end + 4 - c->in);
    memmove(c->in, c->in + used, c->have - used + 1);
    c->have -= used;
    if (!push(fd, c)) return false;
  }
  return true;
}

static bool pull(int fd, Connection* c) {
  const ssize_t n = recv(fd, c->in + c->have, kHead - 1 - c->have, 0);
  if (n < 0 && errno == EAGAIN) return true;
  if (n <= 0) return false;
  c->have += (size_t)n;
  c->in[c->have] = '\0';
  return answer(fd, c);
}

static void accept_all(int listener) {
  for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (fd >= kConnections || !(connections[fd] = calloc(1, sizeof(Connection)))) {
      close(fd);
      continue;
    }
    watch(fd, EPOLL_CTL_ADD, EPOLLIN);
  }
}

static int listen_on(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons((unsigned short)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(fd, (const struct sockaddr*)&address, sizeof address) < 0) fail("bind");
  if (listen(fd, 4096) < 0) fail("listen");
  return fd;
}

int main(int argc, char** argv) {
  if (argc != 2) return fprintf(stderr, "usage: origin PORT\n"), 2;
  for (int i = 0; i < kReplies; ++i) build(&replies[i]);
  const int listener = listen_on(atoi(argv[1]));
  poller = epoll_create1(0);
  watch(listener, EPOLL_CTL_ADD, EPOLLIN);

  for (struct epoll_event events[kEvents];;) {
    const int count = epoll_wait(poller, events, kEvents, -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      if (fd == listener) {
        accept_all(listener);
        continue;
      }
      Connection* c = connections[fd];
      const bool is_alive = c->reply ? push(fd, c) && answer(fd, c) : pull(fd, c);
      if (!is_alive) drop(fd);
    }
  }
}
