#include "observe/cell_names.h"

#include <algorithm>

namespace weir::observe {

namespace {

/// The label of requests that no route took.
const std::string kNone = "none";

}  // namespace

uint32_t CellNames::Numbered::number_of(const std::string& text) {
  const auto [known, is_new] = numbers.try_emplace(text, static_cast<uint32_t>(texts.size()));
  if (is_new) texts.push_back(text);
  return known->second;
}

uint32_t CellNames::route_slot(uint32_t listener, uint32_t route) {
  const auto slot = static_cast<uint32_t>(routes_.size());
  const auto [known, is_new] = route_slots_.try_emplace(uint64_t{listener} << 32 | route, slot);
  if (is_new) routes_.emplace_back(listener, route);
  return known->second;
}

std::shared_ptr<const CellPlan> CellNames::plan(const Labels& labels) {
  const std::lock_guard lock(mutex_);
  auto plan = std::make_shared<CellPlan>();
  std::vector<uint32_t> routes;
  for (const auto& name : labels.routes) routes.push_back(route_names_.number_of(name));
  routes.push_back(route_names_.number_of(kNone));
  for (const auto& name : labels.listeners) {
    auto& listener = plan->listeners.emplace_back(name, listeners_.number_of(name));
    listener.routes.reserve(routes.size());
    for (const uint32_t route : routes) listener.routes.push_back(route_slot(listener.slot, route));
  }
  for (const auto& name : labels.upstreams) plan->upstreams.emplace_back(name, upstreams_.number_of(name));
  std::ranges::sort(plan->upstreams, {}, &CellPlan::Upstream::name);
  plan->listener_slots = static_cast<uint32_t>(listeners_.texts.size());
  plan->route_slots = static_cast<uint32_t>(routes_.size());
  plan->upstream_slots = static_cast<uint32_t>(upstreams_.texts.size());
  std::erase_if(plans_, [](const auto& weak) { return weak.expired(); });
  plans_.push_back(plan);
  return plan;
}

}  // namespace weir::observe
