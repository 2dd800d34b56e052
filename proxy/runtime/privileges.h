#pragma once

#include <sys/types.h>

#include <optional>

#include "config/problems.h"
#include "runtime/configuration.h"

namespace weir::runtime {

/// Whom the process becomes: `user:` and `group:`.
struct Identity {
  uid_t user = 0;
  gid_t group = 0;
};

/// Nothing when the file asks for no change. A name that this machine doesn't know, or a process that may not change
/// its user, is a Problem.
std::optional<Identity> wanted_identity(const Configuration& configuration, config::Problems& problems);

/// Becomes that user and group and keeps CAP_NET_BIND_SERVICE alone, so that a reload can still bind a low port; no
/// program that the process might start gains more. Threads that run already lose all capabilities, which belong to
/// single threads. What fails is a Problem.
void drop_privileges(const Configuration& configuration, const Identity& identity, config::Problems& problems);

}  // namespace weir::runtime
