#include "upstream/ring_hash.h"

#include <algorithm>
#include <cmath>

namespace weir::upstream {

namespace {

constexpr size_t kPointsPerEndpoint = 160;
constexpr size_t kLeastPoints = 1024;
constexpr size_t kMostPoints = 8388608;
constexpr size_t kPatience = 64;  // points passed by before asking whether there is anyone at all

}  // namespace

RingHash::RingHash(std::span<const Endpoint> endpoints) : endpoints_(endpoints) {
  if (endpoints.size() == 1) {  // thousands of upstreams may have just one
    ring_.push_back({0, 0});
    return;
  }
  const size_t size = std::clamp(endpoints.size() * kPointsPerEndpoint, kLeastPoints, kMostPoints);
  double weights = 0;
  for (const auto& endpoint : endpoints) weights += endpoint.weight;
  for (uint32_t i = 0; i < endpoints.size(); ++i) {
    const auto points = static_cast<size_t>(std::ceil(endpoints[i].weight / weights * static_cast<double>(size)));
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
