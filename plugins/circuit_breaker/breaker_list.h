#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/sweep.h"
#include "plugins/circuit_breaker/breaker.h"

namespace weir::plugins {

/// All circuit breakers of the process, by name, for the admin API; it keeps none of them alive. Any thread.
class BreakerList {
 public:
  struct Settings {};
  static bool compatible(const Settings&, const Settings&) { return true; }
  explicit BreakerList(const Settings&) {}

  void add(const std::shared_ptr<Breaker>& breaker);
  /// Of several with one name, while a reload replaces them, the newest.
  std::shared_ptr<Breaker> find(const std::string& name) const;
  std::vector<std::shared_ptr<Breaker>> all() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::vector<std::weak_ptr<Breaker>>> breakers_;
  Sweep sweep_;
};

}  // namespace weir::plugins
