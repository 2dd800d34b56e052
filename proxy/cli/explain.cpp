#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "cli/cli.h"
#include "cli/rehearsal.h"
#include "config/redaction.h"
#include "downstream/admission.h"
#include "exchange/error_response.h"
#include "plugins/registry.h"
#include "routing/origins.h"

namespace weir::cli {

namespace {

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

/// Where in the chain each filter stands, and what it does; the outermost first.
void print_filters(const Route& route) {
  if (route.chain.links().empty()) print("filters", "none");
  int position = 0;
  for (const auto& link : route.chain.links()) {
    const std::string about(plugins::about_filter(link.name));
    std::printf("filter     %d %s: %s\n", ++position, link.name.c_str(), about.c_str());
  }
}

const upstream::Upstream* find_upstream(const runtime::Snapshot& snapshot, std::string_view name) {
  const auto& upstreams = snapshot.upstreams();
  const auto found =
      std::ranges::find(upstreams, name, [](const auto& one) -> std::string_view { return one->name(); });
  return found == upstreams.end() ? nullptr : found->get();
}

void print_upstream(const upstream::Upstream& upstream) {
  std::printf("upstream   %s (%s)\n", upstream.name().c_str(), upstream.settings().balance.name.c_str());
  const auto endpoints = upstream.endpoints();
  for (const auto& endpoint : endpoints->all()) std::printf("endpoint   %s\n", endpoint.state->text.c_str());
}

/// What the chosen endpoint gets as Host (HTTP/2: `:authority`).
std::string sent_host(const upstream::Upstream& upstream, std::string_view asked) {
  using From = upstream::HostRule::From;
  const auto& rule = upstream.settings().host;
  if (rule.from == From::client) return std::string(asked);
  if (rule.from == From::fixed) return rule.name;
  const auto endpoints = upstream.endpoints();
  const auto& all = endpoints->all();
  if (all.empty()) return "(the endpoint's own)";
  const auto& first = all.front().authority;
  return all.size() == 1 ? first : first + " (of this endpoint; each has its own)";
}

void print_request(const Exchange& exchange, const std::string& host) {
  const auto& request = exchange.request;
  std::printf("sends      %.*s %.*s%s%.*s\n", static_cast<int>(request.method_name.size()), request.method_name.data(),
              static_cast<int>(request.path.size()), request.path.data(), request.has_query ? "?" : "",
              static_cast<int>(request.query.size()), request.query.data());
  std::printf("           Host: %s\n", host.c_str());
  for (const auto& header : request.headers) {
    if (header.field == http::Field::host) continue;
    const auto value = config::is_secret_name(header.name) ? config::kMask : header.value;
    std::printf("           %.*s: %.*s\n", static_cast<int>(header.name.size()), header.name.data(),
                static_cast<int>(value.size()), value.data());
  }
}

/// Stands where the request would leave: shows the request once, and answers 200 instead of the upstream.
class Departure final : public Origin {
 public:
  explicit Departure(const runtime::Snapshot& snapshot) : snapshot_(snapshot) {}
  bool has_happened() const { return has_happened_; }
  Task<> handle(Exchange& exchange) const override {
    if (!std::exchange(has_happened_, true)) show(exchange);
    exchange.respond(200);
    co_return;
  }

 private:
  void show(const Exchange& exchange) const {
    const auto* upstream = find_upstream(snapshot_, exchange.destination.upstream);
    if (upstream) print_upstream(*upstream);
    print_request(exchange, upstream ? sent_host(*upstream, exchange.request.authority)
                                     : std::string(exchange.request.authority));
  }

  const runtime::Snapshot& snapshot_;
  mutable bool has_happened_ = false;  // one thread
};

/// What Weir answers by itself: a route without an upstream, a filter, or a failure.
void print_answer(const Exchange& exchange) {
  if (exchange.failure) {
    std::printf("answer     %u %.*s: %.*s\n", meaning_of(exchange.failure->code).status,
                static_cast<int>(name_of(exchange.failure->code).size()), name_of(exchange.failure->code).data(),
                static_cast<int>(exchange.failure->detail.size()), exchange.failure->detail.data());
    return;
  }
  std::printf("answer     %u\n", exchange.response.head.status);
  if (const auto location = exchange.response.head.headers.get("location"))
    std::printf("           Location: %.*s\n", static_cast<int>(location->size()), location->data());
}

}  // namespace

int explain(const ExplainArguments& arguments) {
  config::Problems problems;
  const SteadyClock clock;
  runtime::Lasting lasting(clock);
  auto loaded = runtime::load(arguments.file, problems);
  std::shared_ptr<runtime::Snapshot> snapshot;
  if (!problems.empty()) runtime::Snapshot::find_more_problems(loaded, clock, problems);
  else snapshot = runtime::Snapshot::build(std::move(loaded), lasting, 1, nullptr, problems);
  if (!snapshot) {
    std::fputs(problems.text().c_str(), stderr);
    return 1;
  }
  Rehearsal rehearsal(lasting.store);
  Exchange& exchange = rehearsal.exchange();
  if (const auto ready = rehearsal.prepare(arguments, snapshot->configuration()); !ready) {
    print("refused", ready.error().detail);
    return 1;
  }
  print("listener", rehearsal.listener());
  print("path", exchange.request.path);
  print("matched as", exchange.request.matched_path());
  const Route* route = print_routes(*snapshot, exchange);
  if (!route) {
    print("answer", "404: no route matches");
    return 0;
  }
  snapshot->router().find(exchange);
  exchange.route = route;
  if (const auto clear = downstream::check_path(exchange, snapshot->router(), *route); !clear) {
    print("answer", "400: " + std::string(clear.error().detail));
    return 0;
  }
  print_filters(*route);
  const auto departure = std::make_shared<Departure>(*snapshot);
  const auto& settings = snapshot->configuration().routes[route->index];
  const bool is_done = rehearsal.run(Chain(route->chain.links(), routing::make_origin(settings, departure)));
  if (departure->has_happened()) return 0;
  if (is_done) print_answer(exchange);
  else print("answer", "none yet: a filter waits");
  return 0;
}

}  // namespace weir::cli
