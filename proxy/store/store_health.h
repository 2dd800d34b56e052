#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/units.h"
#include "store/server_room.h"

namespace weir::store {

/// How the store is. `degraded`: it works, but has failed of late, or a part of it is gone.
enum class StoreState : uint8_t { up, degraded, down };
std::string_view name_of(StoreState state);

/// The breaker of one server, shared by all workers: `kOpenAfter` failures in a row open it, and then one call a second
/// is let through to see whether it is back. So a dead server costs a request nothing. Any thread.
class ServerHealth {
 public:
  /// May a call be made now?
  bool admits(Time now);
  bool is_open() const { return is_open_.load(std::memory_order_relaxed); }
  ServerRoom& room() { return room_; }

 private:
  friend class StoreHealth;
  static constexpr uint32_t kOpenAfter = 5;
  static constexpr Duration kProbeEvery = std::chrono::seconds(1);

  std::atomic<uint32_t> failures_{0};  // in a row
  std::atomic<bool> is_open_{false};
  std::atomic<Duration::rep> next_probe_{0};
  ServerRoom room_;
};

/// The health of a store as the whole process sees it: one state for every feature, with a line in the log for each
/// change. Degraded after three failures within ten seconds, down when every server's breaker is open; up again after
/// five seconds without a failure. Any thread.
class StoreHealth {
 public:
  using OnChange = void (*)(StoreState state, std::string_view server, std::string_view cause);
  explicit StoreHealth(OnChange on_change = log_change) : on_change_(on_change) {}
  static void log_change(StoreState state, std::string_view server, std::string_view cause);
  /// Of the connections that carry a cache's pages: without them pages are missing, and nothing else.
  static void log_bulk_change(StoreState state, std::string_view server, std::string_view cause);

  StoreState state() const { return state_.load(std::memory_order_relaxed); }
  /// The server of this name, one for all threads; kept while a thread holds a reference or the server counts.
  std::shared_ptr<ServerHealth> server(const std::string& name);
  /// Those of other names are none of this store's any more.
  template <class IsKept>
  void keep_only(IsKept is_kept) {
    const std::lock_guard lock(mutex_);
    for (auto& [name, entry] : servers_) entry.counts = is_kept(name);
    std::erase_if(servers_,
                  [](const auto& each) { return !each.second.counts && each.second.health.use_count() == 1; });
  }

  void succeeded(ServerHealth& server, Time now);
  void failed(ServerHealth& server, std::string_view cause, Time now);

 private:
  static constexpr uint32_t kTroubleAfter = 3;
  static constexpr Duration kTroubleWindow = std::chrono::seconds(10);
  static constexpr Duration kCalm = std::chrono::seconds(5);
  struct Entry {
    std::shared_ptr<ServerHealth> health = std::make_shared<ServerHealth>();  // also owned by the nodes of each thread
    bool counts = true;
  };

  StoreState judge(Time now) const;
  void settle(const ServerHealth& server, std::string_view cause, Time now);

  const OnChange on_change_;
  std::atomic<StoreState> state_{StoreState::up};
  std::mutex mutex_;  // guards what follows
  std::map<std::string, Entry> servers_;
  Time window_began_{};
  uint32_t failures_ = 0;  // in the window
  Time last_failure_{};
};

}  // namespace weir::store
