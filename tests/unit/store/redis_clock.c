/* Preloaded into redis-server: the wall clock is what stands in the file that WEIR_CLOCK names, in microseconds since
 * 1970, for a test to turn. Without the variable, time is as ever. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static _Atomic int64_t* hand;

__attribute__((constructor)) static void start(void) {
  const char* path = getenv("WEIR_CLOCK");
  int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) return;
  void* shared = mmap(NULL, sizeof *hand, PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  if (shared != MAP_FAILED) hand = shared;
}

static int64_t now(void) {
  if (hand) return atomic_load(hand);
  struct timespec time;
  syscall(SYS_clock_gettime, CLOCK_REALTIME, &time);
  return time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

int gettimeofday(struct timeval* time, void* zone) {
  (void)zone;
  int64_t us = now();
  time->tv_sec = us / 1000000;
  time->tv_usec = us % 1000000;
  return 0;
}

time_t time(time_t* into) {
  time_t seconds = now() / 1000000;
  if (into) *into = seconds;
  return seconds;
}
