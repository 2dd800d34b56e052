#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/reader.h"
#include "exchange/gate.h"

namespace weir::plugins {

/// An answer that took longer than `after` is slow; so large a share of them opens the circuit.
struct SlowAnswers {
  Duration after{};
  Ratio ratio{0.5};
};

/// When a circuit opens, for how long, and what closes it again.
struct BreakerSettings {
  Ratio failure_ratio{0.5};
  std::optional<SlowAnswers> slow;
  uint32_t min_requests = 20;
  Duration window = std::chrono::seconds(10);
  Duration open = std::chrono::seconds(10);
  Duration max_open = std::chrono::seconds(300);
  uint16_t half_open_requests = 3;
  uint8_t half_open_successes = 3;
  std::vector<uint16_t> statuses{502, 503, 504};
  bool shared = false;
};

/// What an attempt says of whom it went to.
enum class Verdict : uint8_t {
  withdrawn,     // nothing, for a reason of Weir's own
  neutral,       // nothing: the client left
  sign_of_life,  // it answered, with an error that is no failure (one wrong client, one broken page): closes a
                 // half-open circuit, and counts in no window
  success,
  slow,
  failure,
};
Verdict judge(const BreakerSettings& settings, const Finish& finish);

/// `circuit_breaker` in an upstream's block.
struct UpstreamBreakerSettings {
  enum class Scope : uint8_t { upstream, endpoint };
  BreakerSettings breaker;
  std::vector<Scope> scope{Scope::upstream, Scope::endpoint};

  bool covers(Scope what) const;
};

/// `circuit_breaker` among a route's filters.
struct RouteBreakerSettings {
  BreakerSettings breaker;
  std::string name;  // "": the route's
};

void decode(config::Reader& r, SlowAnswers& out);
void decode(config::Reader& r, UpstreamBreakerSettings& out);
void decode(config::Reader& r, RouteBreakerSettings& out);

}  // namespace weir::plugins
