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
/// life of the process; it is shown while a plan has it. Any thread; workers never ask.
class CellNames {
 public:
  /// The slots of a snapshot's names, made where they are new.
  std::shared_ptr<const CellPlan> plan(const Labels& labels);

  /// visit(slot, listener, route), in the order of their slots.
  template <class Visit>
  void for_each_route(Visit visit) const {
    const std::lock_guard lock(mutex_);
    const auto shown = shown_slots(routes_.size(), [](const CellPlan& plan, auto show) {
      for (const auto& listener : plan.listeners) {
        for (const uint32_t slot : listener.routes) show(slot);
      }
    });
    for (uint32_t slot = 0; slot < routes_.size(); ++slot) {
      const auto& [listener, route] = routes_[slot];
      if (shown[slot]) visit(slot, listeners_.texts[listener], route_names_.texts[route]);
    }
  }
  /// visit(slot, name).
  template <class Visit>
  void for_each_upstream(Visit visit) const {
    for_each(upstreams_, &CellPlan::upstreams, visit);
  }
  template <class Visit>
  void for_each_listener(Visit visit) const {
    for_each(listeners_, &CellPlan::listeners, visit);
  }

 private:
  struct Numbered {
    std::vector<std::string> texts;
    std::unordered_map<std::string, uint32_t> numbers;

    uint32_t number_of(const std::string& text);
  };
  uint32_t route_slot(uint32_t listener, uint32_t route);

  /// `each(plan, show)`: show(slot) for each slot of the plan.
  template <class Each>
  std::vector<bool> shown_slots(size_t count, Each each) const {
    std::vector<bool> shown(count);
    for (const auto& weak : plans_) {
      if (const auto plan = weak.lock()) each(*plan, [&](uint32_t slot) { shown[slot] = true; });
    }
    return shown;
  }
  template <class Cells, class Visit>
  void for_each(const Numbered& names, std::vector<Cells> CellPlan::* cells, Visit visit) const {
    const std::lock_guard lock(mutex_);
    const auto shown = shown_slots(names.texts.size(), [&](const CellPlan& plan, auto show) {
      for (const auto& one : plan.*cells) show(one.slot);
    });
    for (uint32_t slot = 0; slot < names.texts.size(); ++slot) {
      if (shown[slot]) visit(slot, names.texts[slot]);
    }
  }

  mutable std::mutex mutex_;
  Numbered listeners_;                                 // their numbers are their slots
  Numbered upstreams_;                                 // as here
  Numbered route_names_;                               // a route has a slot for each listener
  std::vector<std::pair<uint32_t, uint32_t>> routes_;  // listener and route name, by slot
  std::unordered_map<uint64_t, uint32_t> route_slots_;
  std::vector<std::weak_ptr<const CellPlan>> plans_;  // of the snapshots that are there
};

}  // namespace weir::observe
