#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "config/names.h"
#include "config/reader.h"
#include "exchange/filter.h"
#include "exchange/filter_metrics.h"
#include "exchange/state_slots.h"
#include "http/target.h"
#include "store/announcer.h"
#include "store/channels.h"
#include "store/on_failure.h"

namespace weir {

/// What a filter is built from beside its settings: where it stands, the state that outlives a reload, and where to
/// report what only now turns out wrong. On the supervisor's thread, while a snapshot is made.
struct FilterContext {
  config::Problems& problems;
  StateSlots& slots;
  FilterMetrics& metrics;
  std::string route;                                            // its route's name
  store::OnFailure on_store_failure = store::OnFailure::allow;  // of a filter that doesn't say
  store::Channels* channels = nullptr;                          // what Store::publish says, here and elsewhere
  store::Announcer* announcer = nullptr;                        // says it; null: nobody would hear
  bool is_store_shared = false;                                 // with other processes
  const config::NameSet* upstreams = nullptr;                   // for filters that go to one; null: there are none
  std::set<std::string> names;                                  // by which filters of this route know their state
  // What state that routes share by name was asked for with, over all routes: those of one name ask for the same. Null:
  // there are no others.
  std::map<std::string, std::string>* agreed = nullptr;
  std::vector<std::string> behind{};    // the kinds of the filters that this one stands in front of: "cache"
  std::vector<std::string> in_front{};  // the kinds of the filters that stand in front of this one
  std::string route_identity{};         // what the route is (`Route::identity`); "": its name
  http::PathPolicy paths{};             // of the paths that requests may have

  // By kind: what the filters of that kind and of this route tell each other while they are built.
  std::map<std::string, std::shared_ptr<void>> parts_of_route{};

  /// A T that the filters of one kind and one route share while they are built; made on first use.
  template <class T>
  T& of_route(const std::string& kind) {
    auto& part = parts_of_route[kind];
    if (!part) part = std::make_shared<T>();
    return *static_cast<T*>(part.get());
  }

  bool is_before(std::string_view kind) const { return std::ranges::find(behind, kind) != behind.end(); }
  bool is_behind(std::string_view kind) const { return std::ranges::find(in_front, kind) != in_front.end(); }

  /// By what the state of this route's filters is kept: a name without a position in it, so that a reload which moves
  /// the route finds its own state again, and never another route's.
  const std::string& identity() const { return route_identity.empty() ? route : route_identity; }

  /// A filter's name: the one that was written, or its route's; one for all routes for a filter that stands before all.
  struct Scope {
    std::string label;  // in metrics, logs and the admin API
    std::string state;  // by what its state is kept
  };
  Scope scope(const config::Location& at, const std::string& own_name) const {
    if (!own_name.empty()) return {own_name, own_name};
    if (!at.path.starts_with("routes[")) return {"*", "*"};
    return {route, identity()};
  }

  /// State that the whole process shares. T is thread-safe.
  template <class T>
  std::shared_ptr<T> process_state(const std::string& name, const typename T::Settings& settings) {
    return slots.find<T>(name, settings);
  }
  /// State of which each worker has its own, made on first use.
  template <class T>
  std::shared_ptr<PerWorker<T>> worker_state(const std::string& name, const typename T::Settings& settings) {
    return slots.find<PerWorker<T>>(name, settings);
  }
};

/// Builds a filter whose settings were read: one object per route. Null when it added a Problem.
using FilterFactory = std::function<std::shared_ptr<const Filter>(FilterContext&)>;

/// A filter's line in the registry: Settings is a block with a `decode`; `make(Settings, Location, FilterContext&)`
/// gives the filter.
template <class Settings, class Make>
config::Tag<FilterFactory> filter_tag(std::string name, std::string about, Make make) {
  return config::tag<Settings, FilterFactory>(
      std::move(name), std::move(about), [make](Settings settings, config::Location at) -> FilterFactory {
        return [make, settings = std::move(settings), at = std::move(at)](FilterContext& context) {
          return make(settings, at, context);
        };
      });
}

}  // namespace weir
