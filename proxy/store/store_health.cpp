#include "store/store_health.h"

#include <algorithm>

#include "base/log.h"

namespace weir::store {

std::string_view name_of(StoreState state) {
  switch (state) {
    case StoreState::up: return "up";
    case StoreState::degraded: return "degraded";
    case StoreState::down: return "down";
  }
  return "down";
}

bool ServerHealth::admits(Time now) {
  if (!is_open()) return true;
  const auto ticks = now.time_since_epoch().count();
  auto due = next_probe_.load(std::memory_order_relaxed);
  return ticks >= due && next_probe_.compare_exchange_strong(due, ticks + kProbeEvery.count());
}

std::shared_ptr<ServerHealth> StoreHealth::server(const std::string& name) {
  const std::lock_guard lock(mutex_);
  auto& entry = servers_[name];
  entry.counts = true;
  return entry.health;
}

void StoreHealth::succeeded(ServerHealth& server, Time now) {
  if (server.failures_.load(std::memory_order_relaxed) == 0 && state() == StoreState::up) return;
  const std::lock_guard lock(mutex_);
  server.failures_ = 0;
  server.is_open_ = false;
  settle(server, "recovered", now);
}

void StoreHealth::failed(ServerHealth& server, std::string_view cause, Time now) {
  const std::lock_guard lock(mutex_);
  if (++server.failures_ >= ServerHealth::kOpenAfter && !server.is_open()) {
    server.next_probe_ = (now + ServerHealth::kProbeEvery).time_since_epoch().count();
    server.is_open_ = true;
  }
  if (now - window_began_ > kTroubleWindow) {
    window_began_ = now;
    failures_ = 0;
  }
  ++failures_;
  last_failure_ = now;
  settle(server, cause, now);
}

StoreState StoreHealth::judge(Time now) const {
  size_t open = 0;
  size_t all = 0;
  for (const auto& [name, entry] : servers_) {
    all += entry.counts;
    open += entry.counts && entry.health->is_open();
  }
  if (all > 0 && open == all) return StoreState::down;
  const bool is_calm = now - last_failure_ >= kCalm;
  if (open > 0 || (!is_calm && failures_ >= kTroubleAfter)) return StoreState::degraded;
  // What was bad is good again only once it has been quiet for a while.
  return is_calm ? StoreState::up : std::min(state(), StoreState::degraded);
}

void StoreHealth::settle(const ServerHealth& server, std::string_view cause, Time now) {
  const StoreState before = state();
  const StoreState after = judge(now);
  if (after == before) return;
  state_ = after;
  const auto found =
      std::ranges::find_if(servers_, [&](const auto& each) { return each.second.health.get() == &server; });
  on_change_(after, found == servers_.end() ? "" : std::string_view(found->first), cause);
}

void StoreHealth::log_bulk_change(StoreState state, std::string_view server, std::string_view cause) {
  const auto level = state == StoreState::up ? log::Level::info : log::Level::warn;
  log::write(level, "cache_store_state_changed", {{"state", name_of(state)}, {"server", server}, {"cause", cause}});
}

void StoreHealth::log_change(StoreState state, std::string_view server, std::string_view cause) {
  const auto level = state == StoreState::up     ? log::Level::info
                     : state == StoreState::down ? log::Level::error
                                                 : log::Level::warn;
  log::write(level, "store_state_changed", {{"state", name_of(state)}, {"server", server}, {"cause", cause}});
}

}  // namespace weir::store
