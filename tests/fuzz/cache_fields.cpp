#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "plugins/cache/rules/cache_status.h"
#include "plugins/cache/rules/conditions.h"
#include "plugins/cache/rules/freshness.h"
#include "plugins/cache/rules/range.h"
#include "plugins/cache/rules/storing.h"
#include "plugins/cache/rules/vary.h"

using namespace weir;
using namespace weir::plugins;
using namespace std::chrono_literals;

namespace {

constexpr http::DateTime kNow{std::chrono::seconds(784111777)};
const std::vector<std::string> kTargets{"weir-cache-control", "cdn-cache-control"};

// Which field each line of the input is, over and over.
constexpr std::array<std::string_view, 24> kNames{"Cache-Control",
                                                  "CDN-Cache-Control",
                                                  "Vary",
                                                  "Accept-Encoding",
                                                  "Accept",
                                                  "Range",
                                                  "If-None-Match",
                                                  "ETag",
                                                  "If-Range",
                                                  "Last-Modified",
                                                  "Expires",
                                                  "Date",
                                                  "Age",
                                                  "If-Modified-Since",
                                                  "Pragma",
                                                  "Connection",
                                                  "a",
                                                  "Accept",
                                                  "Cache-Control",
                                                  "CDN-Cache-Control",
                                                  "Vary",
                                                  "Accept-Encoding",
                                                  "If-None-Match",
                                                  "a"};

void demand(bool holds) {
  if (!holds) std::abort();
}

void read_lines(std::string_view input, http::Headers& headers) {
  for (size_t line = 0; !input.empty(); ++line) {
    const auto end = std::min(input.find('\n'), input.size());
    if (end > 0) headers.add(kNames[line % kNames.size()], input.substr(0, end));
    input.remove_prefix(std::min(end + 1, input.size()));
  }
}

void check_directives(http::ResponseHead& response) {
  const auto directives = response_directives(response.headers, kTargets);
  const auto lifetime = stated_lifetime(response.headers, directives, kNow);
  demand(!lifetime || *lifetime >= 0s);
  const auto guess = heuristic_lifetime(200, response.headers, directives, kNow, 0.1, 24h);
  demand(!guess || (!lifetime && *guess >= 0s && *guess <= 24h));
  demand(initial_age(response.headers, kNow, 1s) >= 1s);
  request_directives(response.headers);
  http::RequestHead request(response.headers.arena());
  why_not_stored(request, response, directives);
}

void check_ranges(std::string_view field) {
  for (const uint64_t total : {uint64_t{0}, uint64_t{1}, uint64_t{100}, UINT64_MAX}) {
    const auto asked = asked_range(field, total);
    if (asked.kind != RangeAsked::Kind::part) continue;
    demand(asked.range.first <= asked.range.last && asked.range.last < total);
  }
  open_range(field);
}

void check_selection(const http::Headers& headers, Arena& arena) {
  const auto selection = selection_of(headers, headers, 4, arena);
  demand(!selection || selection->matches(headers, arena));
  for (const auto& header : headers) {
    const auto once = normalized(header.name, header.value, arena);
    demand(normalized(header.name, once, arena) == once);
  }
}

void check_conditions(http::Headers& headers) {
  const auto stored = validators_of(headers);
  is_not_modified(headers, stored);
  may_send_range(headers, stored);
  is_for_origin_alone(headers);
  make_conditional(headers, stored);
  demand(stored.etag.empty() || is_not_modified(headers, stored) || !matches_weakly(stored.etag, stored.etag) ||
         !stored.etag.starts_with('"') || stored.etag.find('"', 1) != stored.etag.size() - 1);
}

void check_status(std::string_view text, Arena& arena) {
  const auto status = to_text({.forward = CacheStatus::Forward::miss,
                               .ttl = INT64_MIN,
                               .forward_status = UINT16_MAX,
                               .is_stored = true,
                               .is_collapsed = true,
                               .key = text,
                               .detail = text},
                              text, arena);
  for (const char c : status) demand(c >= ' ' && c <= '~');
}

}  // namespace

// Each line is the value of a field of one head.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  BlockPool pool(16 * 1024);
  Arena arena(pool);
  http::ResponseHead head(arena);
  head.status = 200;
  read_lines(input, head.headers);
  check_directives(head);
  check_selection(head.headers, arena);
  for (const auto& header : head.headers) check_ranges(header.value);
  check_status(input, arena);
  auto other = head.headers.copy(arena);
  check_conditions(other);
  strip_for_storage(head.headers, response_directives(head.headers, kTargets));
  return 0;
}
