/* Preloaded into the binary under test: lets single calls to the kernel fail, or wait, as another process says in the
 * file that FAULTS names (one `struct fault` for each call, in the order of `enum call`). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum call {
  PTHREAD_CREATE,
  EPOLL_CREATE,
  EVENTFD,
  SOCKET,
  BIND,
  LISTEN,
  WATCH,
  RENAME,
  OPEN,
  ACCEPT,
  CONNECT,
  WRITE,
  OPEN_UNNAMED,
  PREAD,
  ACCESS,
  CALLS
};

struct fault {
  _Atomic int countdown; /* the call that brings it to 0 fails; while it is below 0, all do */
  int error;
  _Atomic int waits; /* calls do not return while it is 1 */
};

static struct fault none[CALLS];
static struct fault* faults = none;
static const char* folder = NULL; /* temporary files elsewhere have no faults; NULL: all have them */

__attribute__((constructor)) static void start(void) {
  const char* path = getenv("FAULTS");
  folder = getenv("FAULTS_FOLDER");
  if (!path) return;
  int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void* shared = mmap(NULL, sizeof none, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (shared != MAP_FAILED) faults = shared;
}

static void await(enum call call) {
  while (atomic_load(&faults[call].waits)) usleep(1000);
}

static int fails(enum call call) {
  struct fault* fault = &faults[call];
  int countdown = atomic_load(&fault->countdown);
  while (countdown > 0 && !atomic_compare_exchange_weak(&fault->countdown, &countdown, countdown - 1)) {
  }
  if (countdown == 0 || countdown > 1) return 0;
  errno = fault->error;
  return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*routine)(void*), void* argument) {
  if (fails(PTHREAD_CREATE)) return faults[PTHREAD_CREATE].error;
  return REAL(pthread_create)(thread, attributes, routine, argument);
}

int epoll_create1(int flags) { return fails(EPOLL_CREATE) ? -1 : REAL(epoll_create1)(flags); }

int eventfd(unsigned int value, int flags) { return fails(EVENTFD) ? -1 : REAL(eventfd)(value, flags); }

int socket(int domain, int type, int protocol) { return fails(SOCKET) ? -1 : REAL(socket)(domain, type, protocol); }

int bind(int fd, const struct sockaddr* address, socklen_t size) {
  return fails(BIND) ? -1 : REAL(bind)(fd, address, size);
}

int connect(int fd, const struct sockaddr* address, socklen_t size) {
  return fails(CONNECT) ? -1 : REAL(connect)(fd, address, size);
}

int listen(int fd, int backlog) { return fails(LISTEN) ? -1 : REAL(listen)(fd, backlog); }

int rename(const char* from, const char* to) { return fails(RENAME) ? -1 : REAL(rename)(from, to); }

int renameat2(int at, const char* from, int to_at, const char* to, unsigned flags) {
  return fails(RENAME) ? -1 : REAL(renameat2)(at, from, to_at, to, flags);
}

FILE* fopen(const char* path, const char* mode) { return fails(OPEN) ? NULL : REAL(fopen)(path, mode); }

FILE* fopen64(const char* path, const char* mode) { return fails(OPEN) ? NULL : REAL(fopen64)(path, mode); }

/* libuv tries out each descriptor, and marks the trial with -1. */
int epoll_ctl(int epoll, int operation, int fd, struct epoll_event* event) {
  if (operation == EPOLL_CTL_ADD && event->data.fd == -1 && fails(WATCH)) return -1;
  return REAL(epoll_ctl)(epoll, operation, fd, event);
}

int accept4(int fd, struct sockaddr* peer, socklen_t* size, int flags) {
  await(ACCEPT);
  return fails(ACCEPT) ? -1 : REAL(accept4)(fd, peer, size, flags);
}

/* Files without a name are Weir's temporary ones. */
static int is_unnamed(int fd) {
  struct stat info;
  if (faults == none || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_nlink != 0) return 0;
  if (!folder) return 1;
  char link[64], name[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t size = readlink(link, name, sizeof name - 1);
  return size > 0 && strncmp(name, folder, strlen(folder)) == 0;
}

/* Of the folder of temporary files. */
int access(const char* path, int mode) {
  if (folder && strcmp(path, folder) == 0) {
    await(ACCESS);
    if (fails(ACCESS)) return -1;
  }
  return REAL(access)(path, mode);
}

ssize_t write(int fd, const void* bytes, size_t size) {
  if (is_unnamed(fd)) {
    await(WRITE);
    if (fails(WRITE)) return -1;
  }
  return REAL(write)(fd, bytes, size);
}

ssize_t pread(int fd, void* bytes, size_t size, off_t offset) {
  if (is_unnamed(fd)) {
    await(PREAD);
    if (fails(PREAD)) return -1;
  }
  return REAL(pread)(fd, bytes, size, offset);
}

ssize_t pread64(int fd, void* bytes, size_t size, off64_t offset) { return pread(fd, bytes, size, offset); }

int open(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(more, mode_t) : 0;
  va_end(more);
  if ((flags & O_TMPFILE) == O_TMPFILE && fails(OPEN_UNNAMED)) return -1;
  return REAL(open)(path, flags, mode);
}
