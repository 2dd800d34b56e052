#include "downstream/admission.h"

#include <array>
#include <charconv>
#include <utility>

#include "downstream/forwarded.h"
#include "exchange/decisions.h"
#include "exchange/grpc.h"
#include "http/decoded_path.h"
#include "http/target.h"
#include "http/websocket.h"

namespace weir::downstream {

namespace {

Result<> check_method(const Exchange& exchange, const Policy& policy) {
  const auto method = exchange.request.method;
  if (!http::takes_method(exchange.request)) {  // over HTTP/1.1 it is refused with its request line
    return fail(ErrorCode::unsupported_method, Side::client, "a method unknown to HTTP");
  }
  if (method == http::Method::connect) {
    return fail(ErrorCode::method_not_allowed, Side::client, "CONNECT isn't served here");
  }
  if (method == http::Method::trace && !policy.allow_trace) {
    return fail(ErrorCode::method_not_allowed, Side::client, "TRACE isn't served here");
  }
  if (method == http::Method::query && exchange.request.headers.joined("content-type").value_or("").empty()) {
    return fail(ErrorCode::bad_request, Side::client, "QUERY needs Content-Type (RFC 10008 section 2.1)");
  }
  const auto protocol = exchange.request.protocol;
  if (!protocol.empty() && !equals_ignoring_case(protocol, http::kWebSocket)) {  // RFC 9220 section 3
    return fail(ErrorCode::unsupported_method, Side::client, "only tunnels of the protocol websocket are served");
  }
  return {};
}

/// RFC 9110 section 7.6.2: who is reached by the last hop answers. True when that is here.
bool is_final_recipient(Exchange& exchange) {
  auto& request = exchange.request;
  if (request.method != http::Method::options && request.method != http::Method::trace) return false;
  const auto value = request.headers.get(http::Field::max_forwards);
  const auto hops = value ? parse_decimal(*value) : std::nullopt;
  if (!hops) return false;
  if (*hops == 0) return true;
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), *hops - 1).ptr;
  const std::string_view left(digits.data(), static_cast<size_t>(end - digits.data()));
  request.headers.set("Max-Forwards", exchange.arena().copy(left), http::Field::max_forwards);
  return false;
}

/// RFC 9110 section 15.5.20. Where clients are asked for certificates, the name that the handshake was for is the one
/// that counts: a connection for one host opens no other.
Result<> check_host(const Exchange& exchange) {
  const auto* const tls = exchange.client.tls;
  if (!tls || !tls->asks_for_certificate || tls->server_name.empty()) return {};
  auto host = http::host_of(exchange.request.authority);
  if (host.ends_with('.')) host.remove_suffix(1);
  if (host.empty() || equals_ignoring_case(host, tls->server_name)) return {};
  return fail(ErrorCode::misdirected, Side::client, "the TLS handshake was for another host");
}

/// RFC 8470: what may be a replay goes to who can tell, marked as such.
Result<> check_earliness(Exchange& exchange, const Route& route) {
  if (!exchange.client.is_early) return {};
  if (!route.takes_early_data || !http::is_safe(exchange.request.method)) {
    return fail(ErrorCode::too_early, Side::client, "this may be a replay: again, once the handshake is done");
  }
  exchange.request.headers.set("Early-Data", "1");
  return {};
}

/// The least of what the route allows and what a gRPC client asks for.
Time deadline_of(const Exchange& exchange, const Route& route) {
  const Time started = exchange.record.started;
  const Time allowed = route.timeout > Duration{} ? started + route.timeout : Time::max();
  if (exchange.call == GrpcForm::none && !(route.is_grpc && is_grpc(exchange.request.headers))) return allowed;
  const auto asked = grpc_timeout(exchange.request.headers);
  return asked ? std::min(allowed, started + *asked) : allowed;
}

Result<const Route*> find_route(Exchange& exchange, const Serving& serving) {
  const Route* route = serving.routes->find(exchange);
  if (!route) return fail(ErrorCode::no_route, Side::client, "no route matches this request");
  exchange.route = route;
  if (auto r = check_path(exchange, *serving.routes, *route); !r) return std::unexpected(r.error());
  const auto size = exchange.request_body->size();
  const bool is_announced = size.kind == http::BodySize::Kind::known && size.bytes > route->max_body;
  const bool is_tunnel = size.kind == http::BodySize::Kind::tunnel;
  if (is_announced || (!is_tunnel && exchange.record.request_body_bytes > route->max_body)) {
    return std::unexpected(too_large(exchange, *route));
  }
  if (auto r = check_earliness(exchange, *route); !r) return std::unexpected(r.error());
  exchange.deadline = deadline_of(exchange, *route);
  decisions::route(exchange);
  return route;
}

Result<const Route*> examine(Exchange& exchange, const Serving& serving) {
  const Policy& policy = *serving.policy;
  if (auto r = check_host(exchange); !r) return std::unexpected(r.error());
  if (auto r = check_method(exchange, policy); !r) return std::unexpected(r.error());
  if (auto r = http::normalize_path(exchange.request, policy.path); !r) return std::unexpected(r.error());
  if (auto r = prepare_forwarding(exchange, policy.forwarding); !r) return std::unexpected(r.error());
  return find_route(exchange, serving);
}

}  // namespace

Result<> check_path(Exchange& exchange, const RouteTable& routes, const Route& route) {
  auto& request = exchange.request;
  if (request.decoded_path.empty() || exchange.destination.upstream.empty()) return {};
  const auto decoded = http::decode_path(request.path, exchange.arena());
  bool is_clear = decoded && !decoded->has_hidden_dots;
  if (const auto other = http::decode_with_long_parameters(request.path, exchange.arena()); is_clear && other) {
    const auto usual = std::exchange(request.decoded_path, *other);
    const auto destination = exchange.destination;
    is_clear = !other->empty() && routes.find(exchange) == &route;
    request.decoded_path = usual;
    exchange.destination = destination;
  }
  if (is_clear) return {};
  return fail(ErrorCode::bad_request, Side::client,
              "servers take this path for different ones: escapes or parameters hide dot segments or slashes");
}

const Route* admit(Exchange& exchange, const Serving& serving) {
  if (is_final_recipient(exchange)) {
    exchange.respond(204);
    exchange.response.head.headers.add("Allow", "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH, QUERY");
    return nullptr;
  }
  const auto route = examine(exchange, serving);
  if (route) return *route;
  exchange.fail(route.error());
  if (exchange.route) exchange.route->chain.refused(exchange);
  return nullptr;
}

}  // namespace weir::downstream
