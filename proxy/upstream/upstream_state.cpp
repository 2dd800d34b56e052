#include "upstream/upstream_state.h"

#include "upstream/connection_faults.h"

namespace weir::upstream {

UpstreamState::UpstreamState(const std::string& name, FilterMetrics& metrics)
    : health(name, metrics, queue), faults_(std::make_shared<ConnectionFaults>(name, metrics)) {}

std::shared_ptr<EndpointState> UpstreamState::endpoint(const net::Address& address, Time now, Health initial) {
  const std::string text = address.text();
  const std::lock_guard lock(mutex_);
  if (auto known = endpoints_.find(text)) return known;
  auto made = std::make_shared<EndpointState>(text, address);
  made->faults = faults_;
  if (is_settled_) made->up_since = now;
  if (initial != Health::up) health.begin(*made, initial, "no check has passed yet");
  endpoints_.add(text, made);
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
  if (auto known = states_.find(name)) return known;
  auto made = std::make_shared<UpstreamState>(name, metrics_);
  states_.add(name, made);
  return made;
}

}  // namespace weir::upstream
