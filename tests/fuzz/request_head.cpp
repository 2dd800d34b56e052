#include "fuzz/fragments.h"

using namespace weir::http;

// The first byte is the fragment size; the rest is what a client sends. Each request is answered at once.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  check_fragments(Role::server, bytes, data[0] % 40 + 1, [](Bench& bench) {
    bench.events.when_end = [&bench](weir::http::StreamId) { bench.respond(200, "ok"); };
  });
  return 0;
}
