#include "upstream/ring_hash.h"

#include <algorithm>

namespace weir::upstream {

namespace {

// For each unit of weight, as nginx has it. Of nothing else: an endpoint that joins moves the points of no other.
constexpr size_t kPoints = 160;
constexpr size_t kMostPoints = 8388608;
constexpr size_t kPatience = 64;  // points passed by before asking whether there is anyone at all

}  // namespace

RingHash::RingHash(std::span<const Endpoint> endpoints) : endpoints_(endpoints) {
  if (endpoints.size() == 1) {  // thousands of upstreams may have just one
    ring_.push_back({0, 0});
    return;
  }
  uint64_t weights = 0;
  for (const auto& endpoint : endpoints) weights += endpoint.weight;
  const uint64_t each = std::min<uint64_t>(kPoints, std::max<uint64_t>(kMostPoints / weights, 1));
  for (uint32_t i = 0; i < endpoints.size(); ++i) {
    const size_t points = std::min<uint64_t>(each * endpoints[i].weight, kMostPoints);
    std::string name = endpoints[i].state->text + "_";
    const size_t stem = name.size();
    for (size_t point = 0; point < points; ++point) {
      name.resize(stem);
      name += std::to_string(point);
      ring_.push_back({hash(name), i});
    }
  }
  // Two points on one place: the name decides, not the order in the file.
  std::ranges::sort(ring_, [&](const Point& a, const Point& b) {
    return a.hash != b.hash ? a.hash < b.hash : endpoints[a.endpoint].state->text < endpoints[b.endpoint].state->text;
  });
}

const Endpoint* RingHash::choose(Pick& pick) const {
  auto at = std::ranges::lower_bound(ring_, pick.key, {}, &Point::hash);
  for (size_t passed = 0; passed < ring_.size(); ++passed, ++at) {
    if (at == ring_.end()) at = ring_.begin();
    if (pick.admits(endpoints_[at->endpoint])) return &endpoints_[at->endpoint];
    if (passed == kPatience && !pick.admits_any(endpoints_)) return nullptr;
  }
  return nullptr;
}

}  // namespace weir::upstream
