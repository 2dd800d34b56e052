#include "plugins/registry.h"

#include "plugins/cache/cache.h"
#include "plugins/cache/page.h"
#include "plugins/circuit_breaker/circuit_breaker.h"
#include "plugins/concurrency_limit/concurrency_limit.h"
#include "plugins/fallback/fallback.h"
#include "plugins/grpc_web/grpc_web.h"
#include "plugins/headers/headers.h"
#include "plugins/hedge/hedge.h"
#include "plugins/rate_limit/rate_limit.h"
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

const config::Tags<GateFactory>& gates() {
  static const config::Tags<GateFactory> all = {circuit_breaker_gate()};
  return all;
}

std::vector<AdminPage> admin_pages(StateSlots& slots) { return {cache_page(slots), circuit_breakers_page(slots)}; }

}  // namespace weir::plugins
