#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "observe/cells.h"

namespace weir::observe {

/// The names of what is counted, and their slots, which are the same on every worker. A name keeps its slot for the
/// life of the process. Any thread; workers never ask.
class CellNames {
 public:
  /// The slots of a snapshot's names, made where they are new.
  std::shared_ptr<const CellPlan> plan(const Labels& labels);

  /// visit(slot, listener, route), in the order of their slots.
  template <class Visit>
  void for_each_route(Visit visit) const {
    const std::lock_guard lock(mutex_);
    for (uint32_t slot = 0; slot < routes_.size(); ++slot) {
      const auto& [listener, route] = routes_[slot];
      visit(slot, listeners_.texts[listener], route_names_.texts[route]);
    }
  }
  /// visit(slot, name).
  template <class Visit>
  void for_each_upstream(Visit visit) const {
    const std::lock_guard lock(mutex_);
    for (uint32_t slot = 0; slot < upstreams_.texts.size(); ++slot) visit(slot, upstreams_.texts[slot]);
  }
  template <class Visit>
  void for_each_listener(Visit visit) const {
    const std::lock_guard lock(mutex_);
    for (uint32_t slot = 0; slot < listeners_.texts.size(); ++slot) visit(slot, listeners_.texts[slot]);
  }

 private:
  struct Numbered {
    std::vector<std::string> texts;
    std::unordered_map<std::string, uint32_t> numbers;

    uint32_t number_of(const std::string& text);
  };
  uint32_t route_slot(uint32_t listener, uint32_t route);

  mutable std::mutex mutex_;
  Numbered listeners_;                                 // their numbers are their slots
  Numbered upstreams_;                                 // as here
  Numbered route_names_;                               // a route has a slot for each listener
  std::vector<std::pair<uint32_t, uint32_t>> routes_;  // listener and route name, by slot
  std::unordered_map<uint64_t, uint32_t> route_slots_;
};

}  // namespace weir::observe
