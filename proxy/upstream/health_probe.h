#pragma once

#include "upstream/forward.h"
#include "upstream/health.h"

namespace weir::upstream {

/// Asks one endpoint how it is. A check goes the way that requests go, with the same TLS, protocol and PROXY header,
/// but through an upstream of its own: nothing that counts, limits or breaks requests knows of it. Each has a fresh
/// connection. On one loop, with a worker's context.
class HealthProbe {
 public:
  /// `worker` outlives it; of `upstream`, which has a health_check, and `endpoint` all that is needed is copied.
  HealthProbe(WorkerContext& worker, const Upstream& upstream, const Endpoint& endpoint);

  /// One check, over within its timeout. One at a time.
  Task<CheckResult> ask();

 private:
  Task<> ask_http(Exchange& exchange, CheckResult& result) const;
  Task<> ask_grpc(Exchange& exchange, CheckResult& result) const;
  Task<> connect(Exchange& exchange, CheckResult& result) const;
  Task<bool> send(Exchange& exchange, CheckResult& result) const;
  void tell(const Error& error, CheckResult& result) const;
  void prepare(Exchange& exchange) const;
  const Upstream& own() const { return *upstreams_.front(); }

  WorkerContext& worker_;
  const HealthCheckSettings check_;
  const std::string health_header_;
  std::string authority_;
  UpstreamStates states_;
  std::vector<std::unique_ptr<Upstream>> upstreams_;  // its own one
  Forward forward_;
};

}  // namespace weir::upstream
