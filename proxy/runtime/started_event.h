#pragma once

#include <string>

#include "runtime/snapshot.h"

namespace weir::runtime {

/// The event `started`: version, file, addresses, certificates with their expiry, and the limits in force.
void log_started(const Snapshot& snapshot, const std::string& file, size_t workers);

}  // namespace weir::runtime
