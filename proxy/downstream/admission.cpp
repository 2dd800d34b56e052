#include "downstream/admission.h"

#include "downstream/forwarded.h"
#include "http/target.h"

namespace weir::downstream {

namespace {

Result<> check_method(const Exchange& exchange, const Policy& policy) {
  const auto method = exchange.request.method;
  if (method == http::Method::connect) {
    return fail(ErrorCode::method_not_allowed, Side::client, "CONNECT isn't served here");
  }
  if (method == http::Method::trace && !policy.allow_trace) {
    return fail(ErrorCode::method_not_allowed, Side::client, "TRACE isn't served here");
  }
  return {};
}

Result<> normalize(Exchange& exchange, const http::PathPolicy& policy) {
  auto& request = exchange.request;
  if (request.path.empty() || request.path == "*") return {};
  const auto path = http::normalize_path(request.path, policy, exchange.arena());
  if (!path) return std::unexpected(path.error());
  request.path = *path;
  return {};
}

Result<const Route*> find_route(Exchange& exchange, const Serving& serving) {
  const Route* route = serving.routes->find(exchange);
  if (!route) return fail(ErrorCode::no_route, Side::client, "no route matches this request");
  const auto size = exchange.request_body->size();
  if (size.kind == http::BodySize::Kind::known && size.bytes > route->max_body) {
    return fail(ErrorCode::body_too_large, Side::client, "the request body is larger than allowed");
  }
  exchange.route = route;
  if (route->timeout > Duration{}) exchange.deadline = exchange.record.started + route->timeout;
  return route;
}

Result<const Route*> examine(Exchange& exchange, const Serving& serving) {
  const Policy& policy = *serving.policy;
  if (auto r = check_method(exchange, policy); !r) return std::unexpected(r.error());
  if (auto r = normalize(exchange, policy.path); !r) return std::unexpected(r.error());
  if (auto r = prepare_forwarding(exchange, policy.forwarding); !r) return std::unexpected(r.error());
  return find_route(exchange, serving);
}

}  // namespace

const Route* admit(Exchange& exchange, const Serving& serving) {
  const auto route = examine(exchange, serving);
  if (route) return *route;
  exchange.fail(route.error());
  return nullptr;
}

}  // namespace weir::downstream
