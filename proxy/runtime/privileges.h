#pragma once

#include "config/problems.h"
#include "runtime/configuration.h"

namespace weir::runtime {

/// Becomes `user:` and `group:`, when the file asks for it, and keeps CAP_NET_BIND_SERVICE alone, so that a reload can
/// still bind a low port. Before any thread is started: capabilities are a thread's own. What fails is a Problem.
void drop_privileges(const Configuration& configuration, config::Problems& problems);

}  // namespace weir::runtime
