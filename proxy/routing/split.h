#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "exchange/key_expression.h"
#include "routing/config.h"

namespace weir::routing {

/// Shares the requests of a route out among upstreams by weight: by turns (90 and 10 are nine and one of every ten,
/// spread out), or by a key, whose every value stays with one upstream. Shared by all workers, whose turns are one.
class Split {
 public:
  /// `salt` keeps two splits by one key apart: the canary's clients of one aren't the other's.
  Split(const SplitSettings& settings, std::string_view salt);

  /// Lives as long as this. A request without the key takes its turn.
  std::string_view choose(Exchange& exchange) const;

 private:
  std::string_view at(uint64_t point) const;

  struct Share {
    std::string upstream;
    uint64_t end;  // of its part of 0 … total
  };
  std::vector<Share> shares_;
  std::vector<uint32_t> turns_;  // one round of shares
  KeyExpression key_;
  uint64_t seed_;
  mutable std::atomic<uint64_t> turn_{0};
};

}  // namespace weir::routing
