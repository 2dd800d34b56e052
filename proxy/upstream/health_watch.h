#pragma once

#include <optional>

#include "upstream/health_checker.h"

namespace weir::upstream {

/// Keeps the health of an upstream's endpoints up to date: checks them, ends ejections, compares rates; and forgets
/// what those said who aren't asked any more since a reload. On one loop, the supervisor's, while its snapshot is the
/// one that is served.
class HealthWatch {
 public:
  /// Both outlive it.
  HealthWatch(WorkerContext& worker, const Upstream& upstream);
  HealthWatch(const HealthWatch&) = delete;
  HealthWatch& operator=(const HealthWatch&) = delete;

 private:
  Task<> watch();
  void forget_judges();

  WorkerContext& worker_;
  const Upstream& upstream_;
  std::optional<HealthChecker> checker_;
  Task<> task_;
};

}  // namespace weir::upstream
