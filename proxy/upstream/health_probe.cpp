#include "upstream/health_probe.h"

#include <fmt/core.h>

#include "async/race.h"
#include "upstream/grpc_health.h"
#include "upstream/health_header.h"
#include "upstream/secure.h"

namespace weir::upstream {

namespace {

constexpr size_t kMostBody = 64 * 1024;
constexpr std::string_view kUserAgent = "weir-health-check/" WEIR_VERSION;

UpstreamSettings settings_of(const Upstream& upstream, const HealthCheckSettings& check) {
  const auto& from = upstream.settings();
  UpstreamSettings settings;
  settings.timeouts = {check.timeout, check.timeout, check.timeout, check.timeout, check.timeout, check.timeout};
  settings.protocol = check.type == HealthCheckSettings::Type::grpc ? Protocol::http2 : from.protocol;
  settings.proxy_protocol = from.proxy_protocol;
  settings.max_requests_per_connection = 1;
  settings.retry_reused = false;
  return settings;
}

std::vector<std::unique_ptr<Upstream>> own_upstream(const WorkerContext& worker, UpstreamStates& states,
                                                    const Upstream& upstream, const Endpoint& endpoint) {
  const auto& check = *upstream.settings().health_check;
  std::vector<std::unique_ptr<Upstream>> own;
  own.push_back(std::make_unique<Upstream>(upstream.name(), 0, settings_of(upstream, check),
                                           states.find(upstream.name()), 0, worker.loop.now()));
  own.front()->use_tls(upstream.tls());
  const auto& address = endpoint.state->address;
  const bool has_port = check.port != 0 && address.is_ip();
  own.front()->publish({{has_port ? address.with_port(check.port) : address, endpoint.authority}}, worker.loop.now());
  return own;
}

std::string authority_of(const Upstream& upstream, const Endpoint& endpoint) {
  const auto& check = *upstream.settings().health_check;
  if (!check.host.empty()) return check.host;
  const auto& rule = upstream.settings().host;
  return rule.from == HostRule::From::fixed ? rule.name : endpoint.authority;
}

Task<bool> until_writable(net::Socket& socket) {
  co_await socket.writable();
  co_return true;
}

/// The beginning of an answer's body, and its trailers when it has ended by then.
struct Beginning {
  std::string text;
  http::Headers* trailers = nullptr;
};

Task<Result<Beginning>> read_beginning(Exchange& exchange) {
  Beginning beginning;
  while (beginning.text.size() < kMostBody) {
    auto chunk = co_await exchange.response.body->read();
    if (!chunk) co_return std::unexpected(chunk.error());
    if (chunk->is_end) {
      beginning.trailers = chunk->trailers;
      break;
    }
    beginning.text.append(chunk->data.view());
  }
  if (beginning.text.size() > kMostBody) beginning.text.resize(kMostBody);
  co_return beginning;
}

std::string_view word_of(std::optional<ServingStatus> status) {
  if (!status) return "no HealthCheckResponse";
  switch (*status) {
    case ServingStatus::serving: return "SERVING";
    case ServingStatus::not_serving: return "NOT_SERVING";
    case ServingStatus::service_unknown: return "SERVICE_UNKNOWN";
    case ServingStatus::unknown: break;
  }
  return "UNKNOWN";
}

}  // namespace

HealthProbe::HealthProbe(WorkerContext& worker, const Upstream& upstream, const Endpoint& endpoint)
    : worker_(worker),
      check_(*upstream.settings().health_check),
      health_header_(upstream.settings().health_header),
      authority_(authority_of(upstream, endpoint)),
      upstreams_(own_upstream(worker, states_, upstream, endpoint)),
      forward_(upstreams_) {}

Task<CheckResult> HealthProbe::ask() {
  using Type = HealthCheckSettings::Type;
  CheckResult result;
  const Time started = worker_.loop.now();
  Arena arena(worker_.blocks);
  Exchange exchange(arena, worker_, nullptr);
  prepare(exchange);
  switch (check_.type) {
    case Type::http: co_await ask_http(exchange, result); break;
    case Type::grpc: co_await ask_grpc(exchange, result); break;
    case Type::tcp: co_await connect(exchange, result); break;
  }
  result.at = worker_.loop.now();
  result.took = result.at - started;
  co_return result;
}

void HealthProbe::prepare(Exchange& exchange) const {
  const std::string_view target = check_.path;
  const auto question = target.find('?');
  auto& request = exchange.request;
  request.method_name = check_.method;
  request.method = http::method_of(check_.method);
  request.scheme = own().tls() ? "https" : "http";
  request.authority = authority_;
  request.target = target;
  request.path = target.substr(0, question);
  request.has_query = question != std::string_view::npos;
  if (request.has_query) request.query = target.substr(question + 1);
  request.headers.add("user-agent", kUserAgent);
  for (const auto& [name, value] : check_.headers) request.headers.set(name, value);
  exchange.request_body = make_in<NoBody>(exchange.arena(), exchange.arena());
  exchange.destination.upstream = own().name();
  exchange.record.started = worker_.loop.now();
  exchange.deadline = worker_.loop.now() + check_.timeout;
}

/// Why a check failed, or wasn't made. Every time limit of a check is its timeout.
void HealthProbe::tell(const Error& error, CheckResult& result) const {
  result.was_made = error.side != Side::self;
  switch (error.code) {
    case ErrorCode::connect_timeout:
    case ErrorCode::response_timeout:
    case ErrorCode::read_timeout:
    case ErrorCode::total_timeout:
      result.what = "no answer within health_check.timeout " + format(check_.timeout);
      break;
    default: result.what = fmt::format("{}: {}", name_of(error.code), error.detail);
  }
}

/// True when there is the head of an answer.
Task<bool> HealthProbe::send(Exchange& exchange, CheckResult& result) const {
  co_await forward_.handle(exchange);
  if (exchange.failure) {
    tell(*exchange.failure, result);
    co_return false;
  }
  const auto& head = exchange.response.head;
  result.what = fmt::format("status {}", head.status);
  if (!health_header_.empty()) result.said = said_health(head.headers, health_header_);
  co_return true;
}

Task<> HealthProbe::ask_http(Exchange& exchange, CheckResult& result) const {
  if (!co_await send(exchange, result) || !check_.statuses.has(exchange.response.head.status)) co_return;
  if (!check_.body.empty()) {
    const auto beginning = co_await read_beginning(exchange);
    if (!beginning) co_return tell(beginning.error(), result);
    if (!beginning->text.contains(check_.body)) {
      result.what += fmt::format(", but '{}' isn't in its body", check_.body);
      co_return;
    }
  }
  result.has_passed = true;
}

Task<> HealthProbe::ask_grpc(Exchange& exchange, CheckResult& result) const {
  auto& request = exchange.request;
  request.method = http::Method::post;
  request.method_name = "POST";
  request.path = request.target = kGrpcHealthPath;
  request.has_query = false;
  request.headers.set("content-type", "application/grpc");
  request.headers.set("te", "trailers");
  const std::string body = grpc_health_request(check_.service);
  exchange.request_body = make_in<TextBody>(exchange.arena(), exchange.arena(), body);
  if (!co_await send(exchange, result) || exchange.response.head.status != 200) co_return;
  const auto beginning = co_await read_beginning(exchange);
  if (!beginning) co_return tell(beginning.error(), result);
  const auto& fields = beginning->trailers ? *beginning->trailers : exchange.response.head.headers;
  const auto status = fields.get("grpc-status").value_or("missing");
  const auto serving = grpc_health_status(beginning->text);
  result.what = status == "0" ? std::string(word_of(serving)) : fmt::format("grpc-status {}", status);
  result.has_passed = status == "0" && serving == ServingStatus::serving;
}

Task<> HealthProbe::connect(Exchange& exchange, CheckResult& result) const {
  const auto set = own().endpoints();
  const Endpoint& endpoint = set->all().front();
  const auto connecting = net::start_connect(endpoint.state->address);
  if (!connecting) co_return tell(connecting.error(), result);
  net::Socket socket(worker_.loop, connecting->fd);
  if (const auto watched = socket.is_watched(); !watched) co_return tell(watched.error(), result);
  if (!connecting->is_connected) {
    if (!co_await before(worker_.loop, exchange.deadline, until_writable(socket)))
      co_return tell({ErrorCode::connect_timeout, Side::upstream, "the connection took too long"}, result);
    if (const auto connected = net::finish_connect(connecting->fd); !connected)
      co_return tell(connected.error(), result);
  }
  result.what = "connected";
  if (const auto version = own().settings().proxy_protocol) {
    Output header(worker_.blocks);
    header.append(net::write_local_proxy_header(*version));
    (void)socket.send(header);
  }
  if (own().tls()) {
    const auto secured = co_await secure(exchange, socket, own().tls(), endpoint, exchange.deadline);
    if (!secured) co_return tell(secured.error(), result);
    result.what = "connected, by TLS";
  }
  result.has_passed = true;
}

}  // namespace weir::upstream
