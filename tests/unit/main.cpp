#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

/// libuv closes its pipes, event and epoll descriptors by a raw system call, which TSan doesn't see: it takes those of
/// another loop with the same number for a race. OpenSSL isn't built for TSan either, which sees it free what another
/// thread has read, but not the count of references in between.
extern "C" const char* __tsan_default_suppressions() {
  return "race:uv_pipe\nrace:uv_loop_init\nrace:uv_async_init\nrace:epoll_create1\ncalled_from_lib:libssl.so.3\ncalled_"
         "from_lib:libcrypto."
         "so.3\n";
}
