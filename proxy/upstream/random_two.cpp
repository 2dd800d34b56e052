#include "upstream/random_two.h"

namespace weir::upstream {

RandomTwo::RandomTwo(std::span<const Endpoint> endpoints) : draw_(endpoints) {}

// The draw has heeded the weights already: so of two idle endpoints the first drawn is taken, and a loaded one
// is compared by its load for each unit of weight.
const Endpoint* RandomTwo::choose(Pick& pick) const {
  const Endpoint* first = draw_.one(pick);
  const Endpoint* second = first ? draw_.one(pick, first) : nullptr;
  if (!second) return first;
  const auto load = [&](const Endpoint* e) {
    return e->state->active.load(std::memory_order_relaxed) / pick.weight(*e);
  };
  return better(*first, load(first), *second, load(second));
}

}  // namespace weir::upstream
