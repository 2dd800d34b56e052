#include "plugins/registry.h"

#include <algorithm>
#include <array>

#include "plugins/cache/cache.h"
#include "plugins/cache/page.h"
#include "plugins/circuit_breaker/circuit_breaker.h"
#include "plugins/concurrency_limit/concurrency_limit.h"
#include "plugins/fallback/fallback.h"
#include "plugins/grpc_web/grpc_web.h"
#include "plugins/headers/headers.h"
#include "plugins/hedge/hedge.h"
#include "plugins/rate_limit/rate_limit.h"
#include "plugins/request_body/request_body.h"
#include "plugins/request_id/request_id.h"
#include "plugins/retry/retry.h"

namespace weir::plugins {

const config::Tags<FilterFactory>& filters() {
  static const config::Tags<FilterFactory> all = {
      cache_filter(),   circuit_breaker_filter(), concurrency_limit_filter(), fallback_filter(),   grpc_web_filter(),
      headers_filter(), hedge_filter(),           rate_limit_filter(),        request_id_filter(), retry_filter(),
  };
  return all;
}

std::string_view about_filter(std::string_view name) {
  const auto tag = std::ranges::find(filters(), name, &config::Tag<FilterFactory>::name);
  if (tag != filters().end()) return tag->about;
  return name == RequestBodyBuffer::kName ? RequestBodyBuffer::kAbout : std::string_view();
}

void add_request_body_buffer(const RequestBodySettings& settings, FilterContext& context,
                             std::vector<Chain::Link>& links) {
  if (settings.mode != RequestBodySettings::Mode::buffer) return;
  // They hold a place, measure time or try again on behalf of the upstream.
  constexpr std::array<std::string_view, 4> kWantWhole = {"circuit_breaker", "concurrency_limit", "hedge", "retry"};
  const auto place = std::ranges::find_first_of(links, kWantWhole, {}, &Chain::Link::name);
  links.insert(place,
               {std::string(RequestBodyBuffer::kName), std::make_shared<const RequestBodyBuffer>(settings, context)});
}

const config::Tags<GateFactory>& gates() {
  static const config::Tags<GateFactory> all = {circuit_breaker_gate()};
  return all;
}

std::vector<AdminPage> admin_pages(StateSlots& slots) { return {cache_page(slots), circuit_breakers_page(slots)}; }

}  // namespace weir::plugins
