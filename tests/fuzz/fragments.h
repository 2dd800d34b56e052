#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>

#include "unit/http/bench.h"

namespace weir::http {

/// What a codec makes of bytes, as text: its events and its error.
inline std::string read_in(Bench& bench, std::string_view bytes) {
  if (bench.codec.is_idle() || bench.codec.is_reusable()) bench.feed(bytes);
  if (!bench.error) bench.feed_end();
  auto text = bench.events.events();
  if (bench.error) text += "error " + std::string(name_of(bench.error->code)) + " " + std::string(bench.error->detail);
  return text;
}

/// Stops the fuzzer unless the bytes mean the same in one piece and in pieces of `fragment`.
template <class Prepare>
void check_fragments(Role role, std::string_view bytes, size_t fragment, Prepare prepare) {
  HeadLimits limits;
  limits.request_line = 200;
  limits.head_bytes = 1000;
  limits.fields = 10;
  limits.chunk_extensions = 50;
  Bench whole(role, limits);
  Bench pieces(role, limits, fragment);
  prepare(whole);
  prepare(pieces);
  if (read_in(whole, bytes) != read_in(pieces, bytes)) std::abort();
  if (whole.codec.is_reusable() != pieces.codec.is_reusable()) std::abort();
}

}  // namespace weir::http
