#pragma once

#include <array>
#include <chrono>

#include "config/reader.h"

namespace weir::runtime {

/// What becomes of a process with a stuck worker.
enum class StuckAction : uint8_t {
  log,    // an event and a counter
  abort,  // after these, SIGABRT: the service manager starts the process again
};

constexpr auto choices(StuckAction*) {
  using enum StuckAction;
  return std::array<config::Choice<StuckAction>, 2>{{{"log", log}, {"abort", abort}}};
}

struct WatchdogSettings {
  Duration after = std::chrono::seconds(5);  // 0: nobody watches
  StuckAction action = StuckAction::log;
};

void decode(config::Reader& r, WatchdogSettings& out);

}  // namespace weir::runtime
