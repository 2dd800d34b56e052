#include "fuzz/fragments.h"

using namespace weir::http;

// The first byte is the fragment size and the request's method; the rest is what an upstream sends.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  const auto method = data[0] & 128 ? Method::head : data[0] & 64 ? Method::connect : Method::get;
  check_fragments(Role::client, bytes, data[0] % 40 + 1,
                  [method](Bench& bench) { bench.ask(method, {{"Upgrade", "websocket"}}); });
  return 0;
}
