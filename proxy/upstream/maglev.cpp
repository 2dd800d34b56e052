#include "upstream/maglev.h"

#include <algorithm>
#include <numeric>

namespace weir::upstream {

namespace {

constexpr uint64_t kSlotsPerEndpoint = 100;
constexpr int kJumps = 16;
constexpr uint32_t kFree = UINT32_MAX;

bool is_prime(uint64_t number) {
  if (number < 2) return false;
  for (uint64_t divisor = 2; divisor * divisor <= number; ++divisor) {
    if (number % divisor == 0) return false;
  }
  return true;
}

uint64_t prime_from(uint64_t number) {
  while (!is_prime(number)) ++number;
  return number;
}

/// One endpoint's permutation of the slots.
struct Permutation {
  uint32_t endpoint;
  uint64_t at;
  uint64_t skip;
  uint64_t weight;
  uint64_t target = 0;
};

/// In the order of the names, so that the order in the file plays no part.
std::vector<Permutation> permutations(std::span<const Endpoint> endpoints, uint64_t size) {
  std::vector<uint32_t> order(endpoints.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, {}, [&](uint32_t i) -> const std::string& { return endpoints[i].state->text; });
  std::vector<Permutation> all;
  for (const uint32_t i : order) {
    const std::string& name = endpoints[i].state->text;
    all.push_back({i, hash(name) % size, hash(name, 1) % (size - 1) + 1, endpoints[i].weight});
  }
  return all;
}

}  // namespace

Maglev::Maglev(std::span<const Endpoint> endpoints, uint32_t size) : endpoints_(endpoints) {
  if (endpoints.size() == 1) {  // thousands of upstreams may have just one
    table_.push_back(0);
    return;
  }
  table_.assign(prime_from(std::max<uint64_t>(size, kSlotsPerEndpoint * endpoints.size())), kFree);
  auto all = permutations(endpoints, table_.size());
  const uint64_t heaviest = std::ranges::max(all, {}, &Permutation::weight).weight;
  size_t filled = 0;
  for (uint64_t turn = 1;; ++turn) {
    for (auto& one : all) {
      if (turn * one.weight < one.target) continue;  // a light one sits turns out
      one.target += heaviest;
      while (table_[one.at] != kFree) one.at = (one.at + one.skip) % table_.size();
      table_[one.at] = one.endpoint;
      if (++filled == table_.size()) return;
    }
  }
}

const Endpoint* Maglev::choose(Pick& pick) const {
  uint64_t key = pick.key;
  for (int jump = 0; jump < kJumps; ++jump, key = mix(key)) {
    const Endpoint& endpoint = endpoints_[table_[key % table_.size()]];
    if (pick.admits(endpoint)) return &endpoint;
  }
  for (size_t i = 0; i < endpoints_.size(); ++i) {  // few are left
    const Endpoint& endpoint = endpoints_[(key + i) % endpoints_.size()];
    if (pick.admits(endpoint)) return &endpoint;
  }
  return nullptr;
}

}  // namespace weir::upstream
