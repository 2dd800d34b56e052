#pragma once

#include "runtime/configuration.h"

namespace weir::runtime {

/// What a start by this user on this machine needs beyond the file: `user`, `group` and a place for the access log.
/// Opens and makes no file.
void check_machine(const Configuration& configuration, config::Problems& problems);

}  // namespace weir::runtime
