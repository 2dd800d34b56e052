#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

/// libuv closes its pipes by a raw system call, which TSan doesn't see: it takes another loop's pipe with the same
/// descriptor for a race.
extern "C" const char* __tsan_default_suppressions() { return "race:uv_pipe\nrace:uv_loop_init\n"; }
