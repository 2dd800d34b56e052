#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "exchange/gate.h"
#include "upstream/config.h"

namespace weir::upstream {

/// A gate in the test's hand, that remembers what it was told.
struct StubGate : Gate {
  Result<Permit> admit(Time, const Asker&) override {
    ++asked;
    if (is_open) return weir::fail(ErrorCode::circuit_open, Side::self, "open", RetrySafe::yes);
    ++out;
    return Permit(*this, 0, is_probing);
  }
  bool would_admit(Time, const Asker&) const override { return !is_open; }
  Duration refuses_for(Time) const override { return wait; }
  bool settle(uint64_t, const Finish& finish) override {
    --out;
    settled.push_back(finish);
    return finish.outcome == Outcome::answered && finish.status < 500;
  }
  void spoil(uint64_t, const Finish&) override { ++spoilt; }

  bool is_open = false;
  bool is_probing = false;
  Duration wait = std::chrono::seconds(7);
  int asked = 0;
  int out = 0;
  int spoilt = 0;
  std::vector<Finish> settled;
};

using Gates = std::map<std::string, std::shared_ptr<StubGate>>;

/// Stub gates for the upstream ("") and for the endpoints named.
inline UpstreamSettings gated(Gates& gates, bool everywhere = true) {
  UpstreamSettings settings;
  settings.make_gate = [&gates, everywhere](const std::string& endpoint) -> std::shared_ptr<Gate> {
    if (!everywhere && !endpoint.empty()) return nullptr;
    auto& gate = gates[endpoint];
    if (!gate) gate = std::make_shared<StubGate>();
    return gate;
  };
  return settings;
}

}  // namespace weir::upstream
