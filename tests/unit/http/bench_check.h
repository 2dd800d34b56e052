#pragma once

#include <doctest/doctest.h>

#include "bench.h"

namespace weir::http {

/// The request is refused with that code in any fragmentation, and its head or end is never reported.
inline void check_refused(std::string_view bytes, ErrorCode code, HeadLimits limits = {}) {
  std::string_view detail;
  for (size_t fragment : kFragments) {
    CAPTURE(fragment);
    CAPTURE(bytes);
    Bench bench(Role::server, limits, fragment);
    bench.feed(bytes);
    REQUIRE(bench.error);
    CHECK(name_of(bench.error->code) == name_of(code));
    CHECK(bench.error->side == Side::client);
    CHECK_FALSE(bench.error->detail.empty());
    if (detail.empty()) detail = bench.error->detail;
    CHECK(bench.error->detail == detail);
    CHECK(bench.events.ends == 0);
    CHECK_FALSE(bench.codec.is_reusable());
  }
}

/// The bytes are one whole request, in any fragmentation.
inline void check_taken(std::string_view bytes, HeadLimits limits = {}) {
  std::string events;
  for (size_t fragment : kFragments) {
    CAPTURE(fragment);
    CAPTURE(bytes);
    Bench bench(Role::server, limits, fragment);
    CHECK(bench.feed(bytes) == bytes.size());
    const auto fault = bench.error ? bench.error->detail : std::string_view();
    CHECK(fault == "");
    CHECK(bench.events.ends == 1);
    if (events.empty()) events = bench.events.events();
    CHECK(bench.events.events() == events);
  }
}

}  // namespace weir::http
