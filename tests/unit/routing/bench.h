#pragma once

#include <string>
#include <utility>
#include <vector>

#include "config/loader.h"
#include "exchange/exchange.h"
#include "http/target.h"
#include "routing/config.h"
#include "routing/origins.h"
#include "routing/router.h"
#include "store/memory_store.h"

namespace weir::routing {

/// What a file of routes says, for the loader.
struct RoutesFile {
  std::vector<RouteSettings> routes;
};
inline void decode(config::Reader& r, RoutesFile& out) { r.required("routes", out.routes, "the routes"); }

/// A worker that exchanges are made on.
struct Worker {
  ManualClock clock;
  Loop loop{clock};
  BlockPool blocks{8192};
  BlockPool buffers{65536};
  store::MemoryStore store{clock};
  WorkerContext context{loop, blocks, buffers, store, store};
};

/// One request: "GET http://host/path?query". Texts are literals or outlive it.
struct Request {
  Request(Worker& worker, std::string_view method, std::string_view target)
      : arena(worker.blocks), exchange(arena, worker.context, nullptr) {
    auto& head = exchange.request;
    head.scheme = "http";
    head.method_name = arena.copy(method);
    head.method = http::method_of(head.method_name);
    REQUIRE(http::split_target(arena.copy(target), head));
    head.headers.add("host", head.authority);
    exchange.client.ip = "10.0.0.1";
    exchange.client.listener = "main";
  }
  /// The path in both of its forms, as once it is admitted.
  void normalize() {
    REQUIRE(http::normalize_path(exchange.request, {.encoded_backslash = http::PathPolicy::Encoded::keep}));
  }
  Request& header(std::string_view name, std::string_view value) {
    exchange.request.headers.add(name, value);
    return *this;
  }

  Arena arena;
  Exchange exchange;
};

/// Routes from YAML, resolved against the upstreams "api", "canary" and "files" and the listener "main".
struct Bench {
  using Match = http::PathPolicy::Match;
  explicit Bench(const std::string& yaml, Match match = Match::decoded) {
    const auto document = config::load_text("weir.yaml", yaml, problems);
    routes = config::decode_document<RoutesFile>(document, problems).routes;
    check_paths(routes, match, problems);
    resolve(routes, {{"api", "canary", "files"}, {"main"}}, problems);
  }
  Router router() const {
    REQUIRE_MESSAGE(problems.empty(), problems.text());
    std::vector<std::pair<RouteSettings, Route>> built;
    for (const auto& settings : routes) built.push_back({settings, Route{.name = *settings.name}});
    return Router(std::move(built));
  }
  /// The name of the route that a request takes; "none" without.
  std::string route(std::string_view method, std::string_view target) const {
    Request request(worker, method, target);
    return route(request.exchange);
  }
  std::string route(Exchange& exchange) const {
    const auto table = router();
    const auto* found = table.find(exchange);
    return found ? found->name : "none";
  }
  std::string problem() const { return problems.empty() ? "" : problems.all().front().message; }

  mutable Worker worker;
  config::Problems problems;
  std::vector<RouteSettings> routes;
};

}  // namespace weir::routing
