#include "routing/split.h"

#include <algorithm>
#include <numeric>

#include "base/hash.h"
#include "base/smooth_round.h"

namespace weir::routing {

namespace {

// In their lowest terms.
std::vector<uint32_t> round_of(const std::vector<config::Named<uint32_t>>& weights) {
  uint32_t divisor = 0;
  for (const auto& weight : weights) divisor = std::gcd(divisor, weight.value);
  std::vector<uint32_t> reduced;
  for (const auto& weight : weights) reduced.push_back(weight.value / divisor);
  return smooth_round(reduced);
}

// Spreads a hash evenly over 0 … n-1.
uint64_t point_of(uint64_t hash, uint64_t n) {
  return static_cast<uint64_t>((static_cast<unsigned __int128>(hash) * n) >> 64);
}

}  // namespace

Split::Split(const SplitSettings& settings, std::string_view salt)
    : turns_(round_of(settings.weights)), key_(settings.key), seed_(hash(salt)) {
  uint64_t end = 0;
  for (const auto& weight : settings.weights) shares_.push_back({weight.name, end += weight.value});
}

std::string_view Split::at(uint64_t point) const {
  return std::ranges::upper_bound(shares_, point, {}, &Share::end)->upstream;
}

std::string_view Split::choose(Exchange& exchange) const {
  if (!key_.empty()) {
    const auto value = key_.hashed(exchange);
    if (!value.empty()) return at(point_of(hash(value, seed_), shares_.back().end));
  }
  const auto turn = turn_.fetch_add(1, std::memory_order_relaxed);
  return shares_[turns_[turn % turns_.size()]].upstream;
}

}  // namespace weir::routing
