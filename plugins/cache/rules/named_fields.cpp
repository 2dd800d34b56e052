#include "plugins/cache/rules/named_fields.h"

#include <algorithm>
#include <array>
#include <bit>

#include "base/hash.h"
#include "base/text.h"
#include "plugins/cache/rules/own_seed.h"

namespace weir::plugins {

namespace {

/// In any case; names that differ late only fall together.
uint64_t hash_of_name(std::string_view name) {
  std::array<char, 64> lower;
  const auto end = std::ranges::transform(name.substr(0, lower.size()), lower.begin(), to_lower).out;
  return hash({lower.data(), static_cast<size_t>(end - lower.begin())}, own_seed() + name.size());
}

}  // namespace

NamedFields::NamedFields(std::string_view list, const http::Headers& headers, Arena& arena) {
  if (list.empty() || headers.empty()) return;
  places_ = arena.make_list<Place>(std::bit_ceil(2 * headers.size()));
  for (const auto& header : headers) {
    auto& place = place_of(header.name);
    place.name = header.name;
    place.hash = hash_of_name(header.name);
  }
  for_each_member(list, [&](std::string_view member) {
    auto& place = place_of(member);
    place.is_named = place.name.data() != nullptr;
    return true;
  });
}

NamedFields::Place& NamedFields::place_of(std::string_view name) const {
  const auto hash = hash_of_name(name);
  const size_t mask = places_.size() - 1;
  for (size_t at = hash & mask;; at = (at + 1) & mask) {
    auto& place = places_[at];
    if (!place.name.data() || (place.hash == hash && equals_ignoring_case(place.name, name))) return place;
  }
}

bool NamedFields::has(std::string_view name) const { return !places_.empty() && place_of(name).is_named; }

}  // namespace weir::plugins
