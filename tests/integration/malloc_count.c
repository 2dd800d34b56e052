/* Preloaded into the binary under test: counts what is asked of the allocator, in the file that MALLOC_COUNT names
 * (four 64-bit numbers: malloc, calloc, realloc, posix_memalign and its kin), for another process to read. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

extern void* __libc_malloc(size_t);
extern void* __libc_calloc(size_t, size_t);
extern void* __libc_realloc(void*, size_t);
extern void* __libc_memalign(size_t, size_t);

static _Atomic unsigned long before_start[4];
static _Atomic unsigned long* counts = before_start;

__attribute__((constructor)) static void start(void) {
  const char* path = getenv("MALLOC_COUNT");
  if (!path) return;
  int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void* shared = mmap(NULL, sizeof before_start, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (shared != MAP_FAILED) counts = shared;
}

static void count(int kind) { atomic_fetch_add_explicit(&counts[kind], 1, memory_order_relaxed); }

void* malloc(size_t size) {
  count(0);
  return __libc_malloc(size);
}

void* calloc(size_t number, size_t size) {
  count(1);
  return __libc_calloc(number, size);
}

void* realloc(void* old, size_t size) {
  count(2);
  return __libc_realloc(old, size);
}

void* memalign(size_t alignment, size_t size) {
  count(3);
  return __libc_memalign(alignment, size);
}

void* aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void** where, size_t alignment, size_t size) {
  void* memory = memalign(alignment, size);
  if (!memory) return ENOMEM;
  *where = memory;
  return 0;
}
