#include "plugins/circuit_breaker/probe_room.h"

#include <algorithm>

namespace weir::plugins {

std::optional<uint32_t> ProbeRoom::enter(uint32_t era, uint32_t most, uint64_t client, Time now) {
  const std::lock_guard lock(mutex_);
  if (static_cast<int32_t>(era - era_) > 0) {
    era_ = era;
    probes_.clear();
    slow_.clear();
    askers_ = {};
  }
  end_overdue(now);
  const bool may_enter = this->may_enter(era, most, client, now);
  if (!is_slow(client)) note_asker(client, now);
  if (!may_enter) return std::nullopt;
  numbers_ = (numbers_ + 1) & 0x7fffffff;
  probes_.push_back({numbers_, client, now});
  return numbers_;
}

bool ProbeRoom::has_place(uint32_t era, uint32_t most, uint64_t client, Time now) const {
  const std::lock_guard lock(mutex_);
  return may_enter(era, most, client, now);
}

bool ProbeRoom::may_enter(uint32_t era, uint32_t most, uint64_t client, Time now) const {
  if (era != era_) return static_cast<int32_t>(era - era_) > 0;
  uint32_t taken = 0;
  uint32_t own = 0;
  bool is_slow = this->is_slow(client);
  for (const Probe& probe : probes_) {
    const bool is_own = client != 0 && probe.client == client;
    if (is_overdue(probe, now)) {
      is_slow = is_slow || is_own;
    } else {
      ++taken;
      own += is_own ? 1 : 0;
    }
  }
  if (taken >= most || own >= most - taken) return false;
  return !is_slow || askers_[0].time == Time::min() || now - askers_[0].time >= patience_;
}

bool ProbeRoom::is_slow(uint64_t client) const { return std::ranges::find(slow_, client) != slow_.end(); }

void ProbeRoom::mark_slow(uint64_t client) {
  if (client == 0 || slow_.size() >= kMostSlow || is_slow(client)) return;
  slow_.push_back(client);
  if (askers_[0].client == client) askers_ = {askers_[1], {}};
  else if (askers_[1].client == client) askers_[1] = {};
}

void ProbeRoom::note_asker(uint64_t client, Time now) {
  if (askers_[0].client != client) askers_[1] = askers_[0];
  askers_[0] = {client, now};
}

void ProbeRoom::end_overdue(Time now) {
  std::erase_if(probes_, [&](const Probe& probe) {
    if (!is_overdue(probe, now)) return false;
    mark_slow(probe.client);
    return true;
  });
}

/// An overdue probe has lost its place already: nothing is left to give back.
void ProbeRoom::leave(uint32_t era, uint32_t number, End end) {
  const std::lock_guard lock(mutex_);
  if (era != era_) return;
  const auto probe = std::ranges::find(probes_, number, &Probe::number);
  if (probe == probes_.end()) return;
  if (end == End::without_result) mark_slow(probe->client);
  probes_.erase(probe);
}

uint32_t ProbeRoom::count(uint32_t era) const {
  const std::lock_guard lock(mutex_);
  return era == era_ ? static_cast<uint32_t>(probes_.size()) : 0;
}

}  // namespace weir::plugins
