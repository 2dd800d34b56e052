#pragma once

#include <map>
#include <memory>

#include "exchange/filter_metrics.h"
#include "upstream/health_probe.h"
#include "upstream/random.h"

namespace weir::upstream {

/// The active checks of one upstream: each endpoint has a time of its own, so that they don't come all at once. What
/// is learned outlives a reload with the endpoint. On one loop.
class HealthChecker {
 public:
  /// `upstream`, which has a health_check, and `worker` outlive it.
  HealthChecker(WorkerContext& worker, const Upstream& upstream);
  HealthChecker(const HealthChecker&) = delete;
  HealthChecker& operator=(const HealthChecker&) = delete;

  /// Endpoints come and go: those that are new are checked from here on, those that are gone no more.
  void follow_endpoints();

 private:
  struct Watched {
    Watched(WorkerContext& worker, const Upstream& upstream, const Endpoint& endpoint)
        : state(endpoint.state), probe(worker, upstream, endpoint) {}
    std::shared_ptr<EndpointState> state;
    HealthProbe probe;
    Task<> task;  // uses the probe, so it goes first
  };
  Task<> follow(Watched& watched);
  Duration first_pause(EndpointState& endpoint);
  Duration next_pause(bool is_changing);
  /// True while more is wanted soon.
  bool learn(EndpointState& endpoint, CheckResult result);
  bool not_made(EndpointState& endpoint, const CheckResult& result);

  WorkerContext& worker_;
  const Upstream& upstream_;
  const HealthCheckSettings& settings_;
  SharedCount& passed_;
  SharedCount& failed_;
  SharedCount& not_made_;
  Random random_;
  std::shared_ptr<const EndpointSet> set_;
  std::map<const EndpointState*, std::unique_ptr<Watched>> watched_;
};

}  // namespace weir::upstream
