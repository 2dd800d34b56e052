#pragma once

#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <typeindex>
#include <utility>
#include <vector>

#include "base/sweep.h"

namespace weir {

/// One T for each worker, made on its first use from the settings. A worker touches its own only.
template <class T>
class PerWorker {
 public:
  using Settings = typename T::Settings;
  static constexpr unsigned kWorkers = 256;

  explicit PerWorker(const Settings& settings) : settings_(settings) {}
  static bool compatible(const Settings& old, const Settings& now) { return T::compatible(old, now); }

  T& of(unsigned worker) {
    auto& mine = workers_[worker % kWorkers];
    if (!mine) mine = std::make_unique<T>(settings_);
    return *mine;
  }

 private:
  Settings settings_;
  std::array<std::unique_ptr<T>, kWorkers> workers_;
};

/// The mutable state of filters, by type and name. A slot lives as long as somebody (a filter, so a snapshot) holds
/// it, and is found again by the next snapshot unless T::compatible(old, now) says that it can't serve the new
/// settings. A configuration that was built but never published takes nothing away from the one that runs. Any thread.
class StateSlots {
 public:
  template <class T>
  std::shared_ptr<T> find(const std::string& name, const typename T::Settings& settings) {
    struct Slot {
      typename T::Settings settings;
      T state;
      explicit Slot(const typename T::Settings& from) : settings(from), state(from) {}
    };
    const std::lock_guard lock(mutex_);
    for (const auto& live : live_slots({typeid(T), name})) {
      auto slot = std::static_pointer_cast<Slot>(live);
      if (T::compatible(slot->settings, settings)) return {slot, &slot->state};
    }
    auto slot = std::make_shared<Slot>(settings);
    if (sweep_.is_due(slots_.size())) forget_gone();
    slots_[{typeid(T), name}].push_back(slot);
    return {slot, &slot->state};
  }
  /// Names that it knows, those of which nobody holds anything any more among them: fewer than the others, or a few.
  size_t size() const {
    const std::lock_guard lock(mutex_);
    return slots_.size();
  }

 private:
  using Key = std::pair<std::type_index, std::string>;
  /// Newest first; forgets those that nobody holds.
  std::vector<std::shared_ptr<void>> live_slots(const Key& key);

  /// A slot's memory goes with the last reference to it, weak ones too.
  void forget_gone();

  mutable std::mutex mutex_;
  std::map<Key, std::vector<std::weak_ptr<void>>> slots_;
  Sweep sweep_;
};

}  // namespace weir
