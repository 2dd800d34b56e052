#include "upstream/upstream_state.h"

#include "upstream/connection_faults.h"

namespace weir::upstream {

UpstreamState::UpstreamState(const std::string& name, FilterMetrics& metrics)
    : health(name, metrics, queue), faults_(std::make_shared<ConnectionFaults>(name, metrics)) {}

std::shared_ptr<EndpointState> UpstreamState::endpoint(const net::Address& address, Time now, Health initial) {
  const std::string text = address.text();
  const std::lock_guard lock(mutex_);
  if (const auto found = endpoints_.find(text); found != endpoints_.end()) {
    if (auto known = found->second.lock()) return known;
  }
  std::erase_if(endpoints_, [](const auto& entry) { return entry.second.expired(); });
  auto made = std::make_shared<EndpointState>(text, address);
  made->faults = faults_;
  if (is_settled_) made->up_since = now;
  if (initial != Health::up) health.begin(*made, initial, "no check has passed yet");
  endpoints_[text] = made;
  return made;
}

std::optional<net::Resolution> UpstreamState::last_answer(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = answers_.find(name);
  return found == answers_.end() ? std::nullopt : std::optional(found->second);
}

void UpstreamState::remember(const std::string& name, const net::Resolution& answer) {
  const std::lock_guard lock(mutex_);
  answers_[name] = answer;
}

std::shared_ptr<UpstreamState> UpstreamStates::find(const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (auto known = states_[name].lock()) return known;
  std::erase_if(states_, [](const auto& entry) { return entry.second.expired(); });
  auto made = std::make_shared<UpstreamState>(name, metrics_);
  states_[name] = made;
  return made;
}

}  // namespace weir::upstream
