#include "exchange/error_advice.h"

#include <iterator>

namespace weir {

namespace {

// In the order of ErrorCode. Settings and commands stand in backquotes.
constexpr Advice kAdvice[] = {
    {ErrorCode::bad_request, "the request breaks a rule of HTTP, or is ambiguous; nothing of it reaches an upstream",
     "`error.detail` names the rule; the client must change"},
    {ErrorCode::uri_too_long, "the request line is longer than `limits.request_line`",
     "raise the limit if such requests are meant to pass"},
    {ErrorCode::head_too_large, "the head is larger than `limits.head`, or has more lines than `limits.headers`",
     "look for cookies that pile up; raise the limit if such requests are meant to pass"},
    {ErrorCode::body_too_large, "the body is larger than `limits.body`, or the route's `max_body`",
     "`error.by` names the setting, `error.detail` its value; raise it on the `route` of the log line"},
    {ErrorCode::request_timeout, "head or body came too slowly",
     "a slow or broken client; `timeouts.head`, `timeouts.body` and `limits.body_rate` bound it"},
    {ErrorCode::too_many_connections, "one address has as many connections as `limits.connections_per_client`",
     "one client, or a proxy in front that is not in `trusted_proxies`; raise the limit for it"},
    {ErrorCode::length_required, "a body without a length where one is needed", "the client must send Content-Length"},
    {ErrorCode::method_not_allowed, "CONNECT and TRACE; the admin API: another method is meant",
     "the client must change"},
    {ErrorCode::expectation_failed, "an `Expect` other than `100-continue`", "the client must change"},
    {ErrorCode::unsupported_method, "a method that Weir does not know, and `methods.allow` does not name",
     "add the method to `methods.allow` if it is meant"},
    {ErrorCode::unsupported_coding, "a transfer coding other than chunked", "the client must change"},
    {ErrorCode::unsupported_version, "a version other than 1.0 and 1.1", "the client must change"},
    {ErrorCode::loop_detected, "our own name is in `CDN-Loop` or `Via`",
     "an endpoint leads back here: compare the endpoints with the listeners"},
    {ErrorCode::forbidden,
     "the admin API: not meant for it, or it is read-only; `PURGE` from outside of the cache's `purge_from`",
     "the event `admin_request_refused` has the reason; `admin.hosts` takes more names, `purge_from` more networks"},
    {ErrorCode::rate_limited, "the client, or another key of the `rate_limit`, has used up its quota",
     "`error.by` names the limit: raise its rate, or calm the client"},
    {ErrorCode::beyond_limit, "`rate_limit`: costs more than there ever is",
     "raise the limit's `burst`, or lower the request's cost"},
    {ErrorCode::concurrency_limited,
     "as many requests are in flight as a `concurrency_limit` with a key, or with `status: 429`, takes",
     "`error.by` names the limit: raise `max` or `queue`, or calm the client"},
    {ErrorCode::misdirected,
     "`client_auth` is on, and the TLS handshake named another host, or a reload asks for another certificate",
     "clients connect again by themselves; else give each host a listener of its own"},
    {ErrorCode::too_early, "came in TLS early data, which the route doesn't take",
     "clients repeat it by themselves; `early_data: true` on the route takes it"},
    {ErrorCode::unauthorized, "the admin API: no token, or a wrong one", "send the token of `admin.token_file`"},
    {ErrorCode::unsupported_media_type, "the admin API: a browser posted something other than JSON",
     "send `Content-Type: application/json`"},
    {ErrorCode::client_gone, "logged only: the client left before it was sent anything",
     "compare `duration` with the client's own timeout"},
    {ErrorCode::no_route, "no route matches", "`weir explain METHOD URL` tells why each route does not match"},
    {ErrorCode::no_endpoint, "no endpoint is up",
     "`weir status` tells why each endpoint is down: repair them, or `weir up UPSTREAM ENDPOINT` one that was drained"},
    {ErrorCode::overflow,
     "all endpoints are full, and the queue too, or the client has its share of the queue: half at most",
     "`error.detail` tells which; `weir status` shows `ACTIVE` and the queue: add endpoints, or raise `max_requests` "
     "or "
     "`queue`. Clients behind a proxy that `trusted_proxies` doesn't name are one"},
    {ErrorCode::queue_timeout, "waited in the queue for too long",
     "endpoints are slow (`LATENCY` in `weir status`) or too few: add some, or raise `queue.timeout`"},
    {ErrorCode::connect_refused, "the endpoint refused, or was not to be reached",
     "is the service running, and listening on the address in `error.endpoint`?"},
    {ErrorCode::connect_timeout, "no connection to the endpoint within the upstream's `timeouts.connect`",
     "a firewall or a dead machine between here and `error.endpoint`; try to connect from this machine"},
    {ErrorCode::dns_error, "no name of the upstream's endpoints is resolved",
     "`weir status` has what the DNS server said; ask it with `dig` from this machine"},
    {ErrorCode::tls_error, "the TLS handshake with the endpoint failed otherwise",
     "does the endpoint speak TLS, and a version of 1.2 or later? `openssl s_client -connect` shows"},
    {ErrorCode::tls_certificate_error, "the endpoint's certificate was refused",
     "`error.detail` has the reason; set the upstream's `tls.ca` or `tls.server_name`, or renew the certificate"},
    {ErrorCode::response_timeout, "no response's head within the upstream's `timeouts.response`",
     "the endpoint is slow or hangs: look at its own log; raise the timeout if it is meant to take so long"},
    {ErrorCode::read_timeout, "the response stalled for `timeouts.between_bytes`; after its head it is cut off",
     "the endpoint stalled in its response: look at its own log"},
    {ErrorCode::total_timeout,
     "longer than the route's `timeout`, or an attempt than the upstream's `timeouts.request`",
     "compare `upstream.ttfb` with `duration`: a slow endpoint, or a timeout too short for the body"},
    {ErrorCode::connection_reset, "the endpoint's connection broke before the response's head",
     "the endpoint crashed, or closes idle connections sooner than the upstream's `timeouts.idle`"},
    {ErrorCode::incomplete_response, "the endpoint closed in the middle of its response",
     "the endpoint crashed or was stopped: look at its own log"},
    {ErrorCode::protocol_error, "the endpoint's answer breaks a rule of HTTP",
     "`error.detail` names the rule; is it the right port, and the right `protocol`?"},
    {ErrorCode::circuit_open, "a circuit breaker is open; `Retry-After` says for how long",
     "`weir status` has the cause of the circuit that `error.by` names; `POST /circuit_breakers/NAME/close` forces it"},
    {ErrorCode::not_revalidated, "a stored response must be revalidated, and the upstream gave no response",
     "see the attempts of the same upstream: `weir status --why UPSTREAM`"},
    {ErrorCode::not_cached, "`only-if-cached`, and the cache has no such response", "none: the client asked for it"},
    {ErrorCode::store_unavailable, "the store is gone, and a filter's `on_store_failure` is `deny`",
     "`weir status` shows the store: repair Redis, or set `on_store_failure: local`"},
    {ErrorCode::body_not_stored,
     "`request_body: buffer`: its `folder` is full, hangs or takes no file, or the client has its share of it",
     "the event `request_body_not_stored` has the reason: make room, or name another `folder`"},
    {ErrorCode::no_descriptors, "Weir has no file descriptor left for a connection to an endpoint",
     "raise `LimitNOFILE`, or lower `limits.connections`"},
    {ErrorCode::no_ports, "no local port is left for a connection to the endpoint",
     "widen `net.ipv4.ip_local_port_range`, add endpoints, or reuse connections (`timeouts.idle`)"},
    {ErrorCode::no_memory, "the kernel has no memory for a connection",
     "look at `net.ipv4.tcp_mem`, `fs.epoll.max_user_watches` and the memory limit of the service"},
    {ErrorCode::connection_limit, "clients have as many connections open as `limits.connections` says",
     "raise the limit, and `LimitNOFILE` with it; `weir status` shows the connections of each listener"},
    {ErrorCode::concurrency_limit, "as many requests are in flight, and wait, as a `concurrency_limit` takes",
     "`error.by` names the limit: raise its `max` or `queue`, or add endpoints"},
    {ErrorCode::admin_busy, "the admin API: too many pages wait to be rendered or read",
     "ask for large pages less often, or read them faster"},
    {ErrorCode::shutting_down, "the process ends, or a reload removed or renamed a tunnel's route",
     "none: clients connect again"},
    {ErrorCode::internal, "a fault in Weir", "report it with the event `exchange_failed` of the process log"},
};

constexpr bool is_complete() {
  for (size_t i = 0; i < std::size(kAdvice); ++i) {
    if (static_cast<size_t>(kAdvice[i].code) != i) return false;
  }
  return std::size(kAdvice) == static_cast<size_t>(ErrorCode::internal) + 1;
}
static_assert(is_complete(), "each ErrorCode has its advice, at its place");

}  // namespace

const Advice& advice_on(ErrorCode code) { return kAdvice[static_cast<size_t>(code)]; }

std::optional<ErrorCode> find_error(std::string_view name) {
  for (const auto& advice : kAdvice) {
    if (name_of(advice.code) == name) return advice.code;
  }
  return std::nullopt;
}

}  // namespace weir
