#include <algorithm>
#include <array>
#include <cstdio>

#include "async/clock.h"
#include "cli/cli.h"
#include "config/redaction.h"
#include "downstream/forwarded.h"
#include "http/target.h"
#include "routing/origins.h"
#include "routing/pattern.h"
#include "runtime/snapshot.h"

namespace weir::cli {

namespace {

/// A request that no socket brought, with all that it needs around it.
struct Rehearsal {
  explicit Rehearsal(store::Store& store)
      : context{.loop = loop, .blocks = blocks, .buffers = buffers, .store = store, .local_store = store},
        exchange(arena, context, nullptr) {}

  SteadyClock clock;
  Loop loop{clock};
  BlockPool blocks{8 * 1024};
  BlockPool buffers{64 * 1024};
  WorkerContext context;
  Arena arena{blocks};
  Exchange exchange;
};

Result<> fill(Exchange& exchange, const ExplainArguments& arguments, const std::vector<std::string>& methods) {
  auto& request = exchange.request;
  request.method_name = arguments.method;
  request.method = http::method_of(arguments.method);
  request.more_methods = &methods;
  if (!http::takes_method(request))
    return fail(ErrorCode::unsupported_method, Side::client, "this method is answered with 501");
  for (const auto& line : arguments.headers) {
    const std::string_view header = line;
    const auto colon = header.find(':');
    if (colon == std::string_view::npos) return fail(ErrorCode::bad_request, Side::client, "a header is 'Name: value'");
    request.headers.add(header.substr(0, colon), trim(header.substr(colon + 1)));
  }
  if (auto split = http::split_target(arguments.url, request); !split) return split;
  if (const auto host = request.headers.get(http::Field::host); host && request.authority.empty())
    request.authority = *host;
  if (request.path.empty()) request.path = "/";
  return {};
}

/// The listener at the URL's port; else the first.
const runtime::ListenerSettings& listener_of(const Exchange& exchange, const runtime::Configuration& configuration) {
  const auto port = routing::RequestHost(exchange.request).port();
  const auto& listeners = configuration.listeners;
  const auto found = std::ranges::find(listeners, port, [](const auto& one) { return one.address.port(); });
  return found == listeners.end() ? listeners.front() : *found;
}

Result<> prepare(Exchange& exchange, const ExplainArguments& arguments, const runtime::Configuration& configuration) {
  if (auto filled = fill(exchange, arguments, configuration.policy.methods.allow); !filled) return filled;
  const auto peer = net::Address::parse_ip(arguments.client, 0);
  if (!peer) return fail(ErrorCode::bad_request, Side::client, "--client is an IP address");
  exchange.client.peer = *peer;
  exchange.client.ip = arguments.client;
  const auto& listener = listener_of(exchange, configuration);
  exchange.client.listener = listener.name;
  exchange.client.local_port = listener.address.port();
  exchange.client.is_encrypted = listener.tls.has_value();
  const auto& policy = configuration.policy;
  const auto path = http::normalize_path(exchange.request.path, policy.path, exchange.arena());
  if (!path) return std::unexpected(path.error());
  exchange.request.path = *path;
  return downstream::prepare_forwarding(exchange, policy.forwarding);
}

void print(const char* what, std::string_view text) {
  std::printf("%-10s %.*s\n", what, static_cast<int>(text.size()), text.data());
}

const Route* print_routes(const runtime::Snapshot& snapshot, Exchange& exchange) {
  const Route* matched = nullptr;
  for (const auto& explanation : snapshot.router().explain(exchange)) {
    const auto& name = explanation.route->name;
    if (explanation.matched) {
      matched = explanation.route;
      std::printf("route      %s: matches\n", name.c_str());
    } else {
      std::printf("route      %s: no, %s\n", name.c_str(), explanation.why.c_str());
    }
  }
  return matched;
}

void print_filters(const Route& route) {
  std::string names;
  for (const auto& link : route.chain.links()) names += (names.empty() ? "" : ", ") + link.name;
  print("filters", names.empty() ? "none" : names);
}

void print_upstream(const runtime::Snapshot& snapshot, std::string_view name) {
  for (const auto& upstream : snapshot.upstreams()) {
    if (upstream->name() != name) continue;
    std::printf("upstream   %s (%s)\n", upstream->name().c_str(), upstream->settings().balance.name.c_str());
    const auto endpoints = upstream->endpoints();
    for (const auto& endpoint : endpoints->all()) std::printf("endpoint   %s\n", endpoint.state->text.c_str());
  }
}

void print_request(const Exchange& exchange) {
  const auto& request = exchange.request;
  std::printf("sends      %.*s %.*s%s%.*s HTTP/1.1\n", static_cast<int>(request.method_name.size()),
              request.method_name.data(), static_cast<int>(request.path.size()), request.path.data(),
              request.has_query ? "?" : "", static_cast<int>(request.query.size()), request.query.data());
  std::printf("           Host: %.*s\n", static_cast<int>(request.authority.size()), request.authority.data());
  for (const auto& header : request.headers) {
    if (header.field == http::Field::host) continue;
    const auto value = config::is_secret_name(header.name) ? config::kMask : header.value;
    std::printf("           %.*s: %.*s\n", static_cast<int>(header.name.size()), header.name.data(),
                static_cast<int>(value.size()), value.data());
  }
}

/// Runs the route's filters up to where the request would leave, and shows what it is then.
class Departure final : public Origin {
 public:
  Task<> handle(Exchange& exchange) const override {
    print_request(exchange);
    exchange.respond(200);
    co_return;
  }
};

}  // namespace

int explain(const ExplainArguments& arguments) {
  config::Problems problems;
  const SteadyClock clock;
  runtime::Lasting lasting(clock);
  auto loaded = runtime::load(arguments.file, problems);
  std::shared_ptr<runtime::Snapshot> snapshot;
  if (problems.empty()) snapshot = runtime::Snapshot::build(std::move(loaded), lasting, 1, nullptr, problems);
  if (!snapshot) {
    std::fputs(problems.text().c_str(), stderr);
    return 1;
  }
  Rehearsal rehearsal(lasting.store);
  Exchange& exchange = rehearsal.exchange;
  if (const auto ready = prepare(exchange, arguments, snapshot->configuration()); !ready) {
    print("refused", ready.error().detail);
    return 1;
  }
  print("listener", exchange.client.listener);
  const Route* route = print_routes(*snapshot, exchange);
  if (!route) {
    print("answer", "404: no route matches");
    return 0;
  }
  snapshot->router().find(exchange);
  exchange.route = route;
  exchange.request_body = make_in<NoBody>(rehearsal.arena, rehearsal.arena);
  print_filters(*route);
  if (exchange.destination.upstream.empty()) {
    auto task = route->chain.run(exchange);
    if (task.start()) std::printf("answer     %u\n", exchange.response.head.status);
    return 0;
  }
  print_upstream(*snapshot, exchange.destination.upstream);
  const auto& settings = snapshot->configuration().routes[route->index];
  const Chain rehearsed(route->chain.links(), routing::make_origin(settings, std::make_shared<Departure>()));
  auto task = rehearsed.run(exchange);
  task.start();
  return 0;
}

}  // namespace weir::cli
