#pragma once

#include <functional>
#include <memory>
#include <string>

#include "exchange/filter_metrics.h"
#include "exchange/gate.h"
#include "exchange/state_slots.h"
#include "store/announcer.h"

namespace weir {

/// What gates are built from beside their settings: it lives as long as the process.
struct GateContext {
  StateSlots& slots;
  FilterMetrics& metrics;
  store::Announcer* announcer = nullptr;  // null: there are no other instances
};

/// Gives the gate of an upstream (`endpoint` "") or of one of its endpoints ("127.0.0.1:9001"); null: none stands
/// there. Called for each snapshot, and when a name gets a new address: the gate's state is found again in a slot. On
/// the supervisor's thread.
using GateFactory =
    std::function<std::shared_ptr<Gate>(GateContext context, const std::string& upstream, const std::string& endpoint)>;

}  // namespace weir
