#include "runtime/snapshot.h"

#include "plugins/registry.h"
#include "routing/origins.h"
#include "runtime/version.h"
#include "upstream/secure.h"

namespace weir::runtime {

namespace {

/// What the filters of all routes are built with.
struct Shared {
  const Configuration& configuration;
  Lasting& lasting;
  config::Problems& problems;
  config::NameSet upstreams{};
  std::map<std::string, std::string> agreed{};
};

/// The global filters, then the route's own.
std::vector<Chain::Link> build_filters(const routing::RouteSettings& route, Shared& shared) {
  auto& [configuration, lasting, problems, upstreams, agreed] = shared;
  std::vector<Chain::Link> links;
  FilterContext context{problems,
                        lasting.slots,
                        lasting.filter_metrics,
                        *route.name,
                        configuration.store.on_failure,
                        &lasting.store.channels(),
                        lasting.announcer,
                        !configuration.store.is_embedded(),
                        &upstreams};
  context.agreed = &agreed;
  context.route_identity = route.identity;
  context.paths = configuration.policy.path;
  for (const auto* filters : {&configuration.filters, &route.filters}) {
    for (const auto& filter : *filters) context.behind.push_back(filter.name);
  }
  for (const auto* filters : {&configuration.filters, &route.filters}) {
    for (const auto& filter : *filters) {
      context.behind.erase(context.behind.begin());
      auto built = filter.value ? filter.value(context) : nullptr;  // without a factory: its settings were wrong
      context.in_front.push_back(filter.name);
      if (built) links.push_back({filter.name, std::move(built)});
    }
  }
  plugins::add_request_body_buffer(route.request_body, context, links);
  return links;
}

/// Gates of one upstream; unset when its block has none.
std::function<std::shared_ptr<Gate>(const std::string&)> gate_maker(
    const config::Named<upstream::UpstreamSettings>& block, Lasting& lasting) {
  if (block.value.gates.empty()) return {};
  const GateContext context{lasting.slots, lasting.filter_metrics, lasting.announcer};
  return [context, name = block.name, make = block.value.gates.front().value](const std::string& endpoint) {
    return make(context, name, endpoint);
  };
}

}  // namespace

Lasting::Lasting(const Clock& clock)
    : clock(clock),
      metrics({kVersion, ""}),
      admin_pages(plugins::admin_pages(slots)),
      store(clock),
      tickets(std::make_shared<net::TicketKeys>(clock)) {}

std::shared_ptr<Snapshot> Snapshot::build(Loaded loaded, Lasting& lasting, unsigned workers,
                                          std::shared_ptr<observe::AccessLog> log, config::Problems& problems) {
  std::shared_ptr<Snapshot> snapshot(new Snapshot);
  snapshot->configuration_ = std::move(loaded.configuration);
  snapshot->effective_ = std::move(loaded.effective);
  snapshot->access_log_ = std::move(log);
  const TlsFiles files{loaded.folder, std::chrono::floor<std::chrono::seconds>(lasting.clock.wall()), problems};
  snapshot->find_store(lasting);
  snapshot->build_admin(loaded.folder, problems);
  snapshot->build_listeners(lasting, files);
  snapshot->build_upstreams(lasting, workers, files);
  snapshot->hold_routes(lasting);
  snapshot->build_routes(lasting, problems);
  if (!problems.empty()) return nullptr;
  snapshot->cells_ = lasting.metrics.prepare(snapshot->labels_, workers);
  return snapshot;
}

void Snapshot::find_more_problems(const Loaded& loaded, const Clock& clock, config::Problems& problems) {
  Lasting lasting(clock);
  Snapshot trial;
  trial.configuration_ = loaded.configuration;
  const TlsFiles files{loaded.folder, std::chrono::floor<std::chrono::seconds>(clock.wall()), problems};
  trial.build_admin(loaded.folder, problems);
  trial.build_listeners(lasting, files);
  for (const auto& block : trial.configuration_.upstreams) {
    if (block.value.tls && block.value.tls->is_on)
      (void)upstream::make_tls(*block.value.tls, block.value.protocol, files);
  }
  Shared shared{trial.configuration_, lasting, problems};
  for (const auto& upstream : trial.configuration_.upstreams) shared.upstreams.add(upstream.name);
  for (const auto& route : trial.configuration_.routes) (void)build_filters(route, shared);
}

/// The one before, with all that it knows, when nothing about it has changed.
void Snapshot::find_store(Lasting& lasting) {
  if (configuration_.store.is_embedded()) return;
  auto settings = configuration_.store.settings(configuration_.resolver.settings());
  redis_ = lasting.redis.lock();
  if (redis_ && redis_->settings == settings) return;
  redis_ = std::make_shared<store::RedisShared>(settings, lasting.store_metrics);
  redis_->bulk = std::make_shared<store::RedisShared>(std::move(settings), lasting.cache_store_metrics,
                                                      store::RedisShared::kBulk, store::StoreHealth::log_bulk_change);
}

void Snapshot::build_admin(const std::string& folder, config::Problems& problems) {
  auto access = std::make_shared<admin::Access>();
  if (const auto& settings = configuration_.admin) {
    *access = settings->allowed;
    if (auto token = read_token(*settings, folder)) {
      access->token = std::move(*token);
    } else {
      problems.add(settings->token_file.at, "'" + *settings->token_file + "' " + token.error());
    }
  }
  admin_access_ = std::move(access);
}

void Snapshot::build_listeners(Lasting& lasting, const TlsFiles& files) {
  for (const auto& listener : configuration_.listeners) {
    tls_.push_back(listener.tls ? downstream::make_tls(*listener.tls, files, lasting.tickets) : nullptr);
    labels_.listeners.push_back(listener.name);
  }
}

void Snapshot::build_upstreams(Lasting& lasting, unsigned workers, const TlsFiles& files) {
  uint32_t index = 0;
  for (const auto& block : configuration_.upstreams) {
    auto settings = block.value;
    settings.make_gate = gate_maker(block, lasting);
    upstreams_.push_back(std::make_unique<upstream::Upstream>(
        block.name, index++, std::move(settings), lasting.upstreams.find(block.name), workers, lasting.clock.now()));
    const auto& tls = block.value.tls;
    if (tls && tls->is_on)
      upstreams_.back()->use_tls(upstream::make_tls(*tls, upstreams_.back()->settings().protocol, files));
    labels_.upstreams.push_back(block.name);
  }
}

void Snapshot::hold_routes(Lasting& lasting) {
  std::vector<FilterMetrics::Subject> routes;
  for (const auto& route : configuration_.routes) routes.push_back({"", {{"route", *route.name}}});
  held_ = lasting.filter_metrics.hold(std::move(routes));
}

void Snapshot::build_routes(Lasting& lasting, config::Problems& problems) {
  const auto forward = std::make_shared<upstream::Forward>(upstreams_);
  std::vector<std::pair<routing::RouteSettings, Route>> routes;
  routes.reserve(configuration_.routes.size());
  Shared shared{configuration_, lasting, problems};
  for (const auto& upstream : configuration_.upstreams) shared.upstreams.add(upstream.name);
  for (const auto& settings : configuration_.routes) {
    Route route;
    route.name = *settings.name;
    route.timeout = settings.timeout;
    route.max_body = settings.max_body ? settings.max_body->count : UINT64_MAX;
    route.max_body_by = settings.max_body_by;
    route.takes_early_data = settings.early_data;
    route.is_grpc = settings.grpc;
    route.expect = settings.expect;
    route.chain = Chain(build_filters(settings, shared), routing::make_origin(settings, forward));
    labels_.routes.push_back(route.name);
    routes.emplace_back(settings, std::move(route));
  }
  if (problems.empty()) router_ = std::make_unique<routing::Router>(std::move(routes));
}

std::string Snapshot::effective_json() const { return config::to_json(effective_); }

}  // namespace weir::runtime
