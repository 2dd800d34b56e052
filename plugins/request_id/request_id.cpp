#include "plugins/request_id/request_id.h"

#include <algorithm>

#include "exchange/decisions.h"
#include "http/syntax.h"

namespace weir::plugins {

namespace {

constexpr size_t kLongest = 128;

bool is_sound(std::string_view id) {
  return !id.empty() && id.size() <= kLongest && std::ranges::all_of(id, [](char c) { return c > ' ' && c <= '~'; });
}

}  // namespace

void decode(config::Reader& r, RequestIdSettings& settings) {
  r.shorthand("header");
  r.optional("header", settings.header, "the field that carries the id");
  if (r.is_describing() || http::is_token(*settings.header)) return;
  r.problem_at("header", "'" + *settings.header + "' is not a field name", "as in X-Request-Id");
}

std::string_view RequestId::choose(Exchange& exchange) const {
  const auto sent = exchange.request.headers.get(header_);
  if (sent && exchange.client.is_trusted && is_sound(*sent)) return *sent;
  const auto id = sources_->of(exchange.worker.index).next(exchange.loop().clock().wall());
  return exchange.arena().copy({id.data(), id.size()});
}

Task<> RequestId::handle(Exchange& exchange, Next next) const {
  if (exchange.id.empty()) exchange.id = choose(exchange);
  decisions::id(exchange);
  exchange.request.headers.set(header_, exchange.id);
  co_await next(exchange);
  exchange.response.head.headers.set(header_, exchange.id);
}

void RequestId::refused(Exchange& exchange) const {
  if (exchange.id.empty()) exchange.id = choose(exchange);
  decisions::id(exchange);
  exchange.response.head.headers.set(header_, exchange.id);
}

config::Tag<FilterFactory> request_id_filter() {
  return filter_tag<RequestIdSettings>(
      "request_id", "gives each request an id, for logs, upstreams and clients",
      [](const RequestIdSettings& settings, const config::Location&, FilterContext& context) {
        return std::make_shared<const RequestId>(*settings.header, context.worker_state<IdSource>("request_id", {}));
      });
}

}  // namespace weir::plugins
