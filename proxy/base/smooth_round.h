#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace weir {

/// One round of smooth weighted turns: of weights 5, 1 and 1 it makes 0 0 1 0 2 0 0, never 0 0 0 0 0 1 2. Each number
/// stands in it as often as its weight says. Weights are 1 at least, or all that are 0 get no turn; not all are 0.
std::vector<uint32_t> smooth_round(std::span<const uint32_t> weights);

}  // namespace weir
