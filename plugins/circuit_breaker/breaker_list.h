#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "plugins/circuit_breaker/circuit.h"

namespace weir::plugins {

/// All circuits of the process, by name, for the admin API and the gauges of their states; it keeps none of them alive.
/// Of several with one name, while a reload replaces them, the newest counts. Any thread.
class BreakerList {
 public:
  struct Settings {};
  static bool compatible(const Settings&, const Settings&) { return true; }
  explicit BreakerList(const Settings&) {}

  void add(const std::shared_ptr<const Circuit>& circuit);
  void drop(const Circuit& circuit);
  std::shared_ptr<const Circuit> find(const std::string& name) const;
  std::vector<std::shared_ptr<const Circuit>> all() const;
  /// Shows the state of the circuit's breaker as it is now, unless a newer circuit has the name.
  void show(const Circuit& circuit);

 private:
  struct Entry {
    const Circuit* circuit;
    std::weak_ptr<const Circuit> alive;
  };
  using Namesakes = std::vector<Entry>;  // newest last; none of them is gone
  static void show_newest(const Namesakes& namesakes);

  mutable std::mutex mutex_;
  std::map<std::string, Namesakes> circuits_;
};

}  // namespace weir::plugins
