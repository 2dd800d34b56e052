#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

/// libuv closes its pipes, event and epoll descriptors by a raw system call, which TSan doesn't see: it takes those of
/// another loop with the same number for a race. glibc opens a directory in the same way, and TSan sees only how it is
/// closed. OpenSSL isn't built for TSan either, which sees it free what another
/// thread has read, but not the count of references in between.
extern "C" const char* __tsan_default_suppressions() {
  return "race:uv_pipe\n"
         "race:uv_loop_init\n"
         "race:uv_async_init\n"
         "race:epoll_create1\n"
         "race:closedir\n"
         "called_from_lib:libssl.so.3\n"
         "called_from_lib:libcrypto.so.3\n";
}
