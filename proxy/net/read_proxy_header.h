#pragma once

#include "async/fd_watch.h"
#include "async/task.h"
#include "base/result.h"
#include "net/proxy_protocol.h"

namespace weir::net {

/// Reads a PROXY header off a connection, and not a byte of what follows it. request_timeout after `deadline`,
/// bad_request for anything else than a header, client_gone when the connection ends. `watch` is of `fd`; both outlive
/// the task.
Task<Result<ProxyHeader>> read_proxy_header(Loop& loop, FdWatch& watch, int fd, Time deadline);

}  // namespace weir::net
