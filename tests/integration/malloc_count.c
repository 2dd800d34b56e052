/* Preloaded into the binary under test: counts what is asked of the allocator, in the file that MALLOC_COUNT names, for
 * another process to read. Six 64-bit numbers: calls of malloc, calloc, realloc, posix_memalign and its kin; the bytes
 * held now; and the most that were ever held, which the other process may set back. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

extern void* __libc_malloc(size_t);
extern void* __libc_calloc(size_t, size_t);
extern void* __libc_realloc(void*, size_t);
extern void* __libc_memalign(size_t, size_t);
extern void __libc_free(void*);

enum { kHeld = 4, kMost = 5, kNumbers = 6 };

static _Atomic long before_start[kNumbers];
static _Atomic long* counts = before_start;

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

static void hold(long bytes) {
  const long held = atomic_fetch_add_explicit(&counts[kHeld], bytes, memory_order_relaxed) + bytes;
  long most = atomic_load_explicit(&counts[kMost], memory_order_relaxed);
  while (most < held && !atomic_compare_exchange_weak(&counts[kMost], &most, held)) {
  }
}

static void* held(void* memory) {
  if (memory) hold((long)malloc_usable_size(memory));
  return memory;
}

void* malloc(size_t size) {
  count(0);
  return held(__libc_malloc(size));
}

void* calloc(size_t number, size_t size) {
  count(1);
  return held(__libc_calloc(number, size));
}

void* realloc(void* old, size_t size) {
  count(2);
  const long before = old ? (long)malloc_usable_size(old) : 0;
  void* memory = __libc_realloc(old, size);
  if (!memory && size > 0) return memory;
  hold(-before);
  return held(memory);
}

void free(void* memory) {
  if (memory) hold(-(long)malloc_usable_size(memory));
  __libc_free(memory);
}

void* memalign(size_t alignment, size_t size) {
  count(3);
  return held(__libc_memalign(alignment, size));
}

void* aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void** where, size_t alignment, size_t size) {
  void* memory = memalign(alignment, size);
  if (!memory) return ENOMEM;
  *where = memory;
  return 0;
}
