// The load of hit_ratio: trace PORT REQUESTS OBJECTS SEED asks a proxy for objects, as fast as it answers, and prints
// how many requests were answered as they should be, and how many not.
// One thread, level-triggered epoll, some connections that are kept, one request at a time on each. The seed alone
// decides what is asked for, and in which order; how fast the proxy is changes nothing. Bodies are counted, not read.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
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

enum { kConnections = 32, kHead = 4096 };
static const double kSkew = 0.9;  // of Zipf's law

// What is asked for. In the middle fifth every second request is one of a scan, whose objects come only once.
typedef struct {
  uint64_t requests, drawn, objects, scanned, random;
  double* up_to;  // [n]: the weights of all objects from 0 to n
} Trace;

// A head comes into `head`; then `left` bytes of its body are to come.
typedef struct {
  int fd;
  uint64_t number;
  char head[kHead];
  size_t have;
  size_t left;
  bool is_in_body, is_fine;
} Connection;

static Trace trace;
static Connection connections[kConnections];
static uint64_t answered, failed;
static struct sockaddr_in proxy;
static int poller;

static void fail(const char* what) {
  perror(what);
  exit(1);
}

static void prepare(uint64_t requests, uint64_t objects, uint64_t seed) {
  trace = (Trace){.requests = requests, .objects = objects, .random = scramble(seed)};
  trace.up_to = malloc(objects * sizeof *trace.up_to);
  if (!trace.up_to) fail("malloc");
  double sum = 0;
  for (uint64_t n = 0; n < objects; ++n) trace.up_to[n] = sum += pow((double)(n + 1), -kSkew);
}

static uint64_t draw_popular(void) {
  const double chance = (double)(scramble(trace.random++) >> 11) * 0x1p-53 * trace.up_to[trace.objects - 1];
  uint64_t first = 0, last = trace.objects - 1;
  while (first < last) {
    const uint64_t middle = (first + last) / 2;
    if (trace.up_to[middle] > chance) last = middle;
    else first = middle + 1;
  }
  return first;
}

static uint64_t draw(void) {
  const uint64_t at = trace.drawn++;
  const bool is_middle = at / 2 >= trace.requests / 5 && at * 5 < trace.requests * 3;
  return is_middle && at % 2 ? trace.objects + trace.scanned++ : draw_popular();
}

// Asks for the next object; closes when there is none. False: the connection is broken.
static bool ask(Connection* c) {
  if (trace.drawn == trace.requests) return close(c->fd) == 0;
  c->number = draw();
  c->have = 0;
  c->is_in_body = false;
  char request[128];
  const int size = sprintf(request, "GET /o/%" PRIu64 " HTTP/1.1\r\nHost: bench\r\n\r\n", c->number);
  return send(c->fd, request, (size_t)size, MSG_NOSIGNAL) == size;
}

static void connect_to_proxy(Connection* c) {
  const int on = 1;
  c->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (c->fd < 0 || connect(c->fd, (const struct sockaddr*)&proxy, sizeof proxy) < 0) fail("connect");
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event) < 0) fail("epoll_ctl");
}

// The request that was on it counts as failed.
static void replace(Connection* c) {
  do {
    close(c->fd);
    ++failed;
    connect_to_proxy(c);
  } while (!ask(c));
}

// False: not a head that tells where its body ends.
static bool read_head(Connection* c, const char* end) {
  const char* length = strcasestr(c->head, "\r\nContent-Length:");
  if (!length || length > end) return false;
  const size_t body = strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
  const size_t here = c->have - (size_t)(end + 4 - c->head);
  if (here > body) return false;
  c->left = body - here;
  c->is_fine = strncmp(c->head, "HTTP/1.1 200 ", 13) == 0 && body == size_of_object(c->number);
  c->is_in_body = true;
  return true;
}

// Takes what has come. False: the connection is of no more use.
static bool pull(Connection* c) {
  if (c->is_in_body) {
    const ssize_t n = recv(c->fd, NULL, c->left, MSG_TRUNC | MSG_DONTWAIT);
    if (n <= 0) return n < 0 && errno == EAGAIN;
    c->left -= (size_t)n;
  } else {
    const ssize_t n = recv(c->fd, c->head + c->have, kHead - 1 - c->have, MSG_DONTWAIT);
    if (n <= 0) return n < 0 && errno == EAGAIN;
    c->have += (size_t)n;
    c->head[c->have] = '\0';
    const char* end = strstr(c->head, "\r\n\r\n");
    if (!end) return c->have < kHead - 1;
    if (!read_head(c, end)) return false;
  }
  if (c->left > 0) return true;
  ++*(c->is_fine ? &answered : &failed);
  return ask(c);
}

int main(int argc, char** argv) {
  if (argc != 5) return fprintf(stderr, "usage: trace PORT REQUESTS OBJECTS SEED\n"), 2;
  prepare(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10));
  proxy = (struct sockaddr_in){.sin_family = AF_INET,
                               .sin_port = htons((unsigned short)atoi(argv[1])),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  poller = epoll_create1(0);
  for (int i = 0; i < kConnections; ++i) {
    connect_to_proxy(&connections[i]);
    if (!ask(&connections[i])) replace(&connections[i]);
  }
  while (answered + failed < trace.requests) {
    struct epoll_event events[kConnections];
    const int count = epoll_wait(poller, events, kConnections, -1);
    for (int i = 0; i < count; ++i) {
      if (!pull(events[i].data.ptr)) replace(events[i].data.ptr);
    }
  }
  printf("%" PRIu64 " %" PRIu64 "\n", answered, failed);
}
