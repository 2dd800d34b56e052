#include "plugins/circuit_breaker/breaker_list.h"

#include <ranges>

#include "plugins/circuit_breaker/breaker.h"

namespace weir::plugins {

namespace {

template <class Namesakes>
std::shared_ptr<const Circuit> newest(const Namesakes& namesakes) {
  for (const auto& entry : std::views::reverse(namesakes)) {
    if (auto alive = entry.alive.lock()) return alive;
  }
  return nullptr;
}

}  // namespace

void BreakerList::show_newest(const Namesakes& namesakes) {
  const Circuit& circuit = *namesakes.back().circuit;
  circuit.show(name_of(circuit.breaker().state()));
}

void BreakerList::add(const std::shared_ptr<const Circuit>& circuit) {
  const std::lock_guard lock(mutex_);
  auto& namesakes = circuits_[circuit->name()];
  namesakes.push_back({circuit.get(), circuit});
  show_newest(namesakes);
}

void BreakerList::drop(const Circuit& circuit) {
  const std::lock_guard lock(mutex_);
  const auto found = circuits_.find(circuit.name());
  if (found == circuits_.end()) return;
  std::erase_if(found->second, [&](const Entry& entry) { return entry.circuit == &circuit; });
  circuit.show("");
  if (found->second.empty()) circuits_.erase(found);
  else show_newest(found->second);
}

void BreakerList::show(const Circuit& circuit) {
  const std::lock_guard lock(mutex_);
  const auto found = circuits_.find(circuit.name());
  if (found == circuits_.end() || found->second.empty()) return;
  if (&found->second.back().circuit->breaker() == &circuit.breaker()) show_newest(found->second);
}

std::shared_ptr<const Circuit> BreakerList::find(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = circuits_.find(name);
  return found == circuits_.end() ? nullptr : newest(found->second);
}

std::vector<std::shared_ptr<const Circuit>> BreakerList::all() const {
  std::vector<std::shared_ptr<const Circuit>> all;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, namesakes] : circuits_) {
    if (auto circuit = newest(namesakes)) all.push_back(std::move(circuit));
  }
  return all;
}

}  // namespace weir::plugins
