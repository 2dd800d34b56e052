#pragma once

#include <expected>

#include "async/task.h"
#include "net/socket.h"

namespace weir::net {

/// Shakes hands on a socket that was made secure, until `deadline`. Afterwards its `tls()` knows what came out; a
/// socket that failed is good for nothing but to be closed.
Task<std::expected<void, TlsFailure>> shake_hands(Loop& loop, Socket& socket, Time deadline);

}  // namespace weir::net
