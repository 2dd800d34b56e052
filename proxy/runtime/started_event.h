#pragma once

#include <string>

#include "runtime/snapshot.h"

namespace weir::runtime {

/// The event `started`: version, file, addresses, certificates with their expiry, and the limits in force.
void log_started(const Snapshot& snapshot, const std::string& file, size_t workers);

/// Warns when the process may open fewer descriptors than `limits.connections`.
void warn_of_few_descriptors(const Configuration& configuration);

}  // namespace weir::runtime
