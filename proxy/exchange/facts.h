#pragma once

#include <string_view>

#include "exchange/arena_list.h"

namespace weir {

/// The fact that tells what a cache did, in a word: "hit".
inline constexpr std::string_view kCacheOutcome = "cache";

/// The fact that tells in whose place a filter answered: "circuit_open by circuit api of upstream api".
inline constexpr std::string_view kInsteadOf = "instead_of";

/// What filters tell each other and the log about an exchange: few named texts, all alive as long as it.
class Facts {
 public:
  explicit Facts(Arena& arena) : facts_(arena) {}
  void set(std::string_view name, std::string_view value) {
    for (auto& fact : facts_) {
      if (fact.name == name) {
        fact.value = value;
        return;
      }
    }
    facts_.add({name, value});
  }
  std::string_view get(std::string_view name) const {
    for (const auto& fact : facts_) {
      if (fact.name == name) return fact.value;
    }
    return {};
  }
  void set_all(const Facts& others) {
    for (const auto& fact : others.facts_) set(fact.name, fact.value);
  }
  void clear() { facts_.clear(); }
  template <class Visit>
  void for_each(Visit visit) const {
    for (const auto& fact : facts_) visit(fact.name, fact.value);
  }

 private:
  struct Fact {
    std::string_view name;
    std::string_view value;
  };
  ArenaList<Fact> facts_;
};

}  // namespace weir
