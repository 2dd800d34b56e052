#include "net/read_proxy_header.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "async/race.h"

namespace weir::net {

namespace {

/// Looks before it takes: how much of what is there belongs to the header shows only by parsing it. What is known to
/// belong is taken even so, since it would turn the socket readable again and again.
Task<Result<ProxyHeader>> read(FdWatch& watch, int fd) {
  std::array<char, kLargestProxyHeader> bytes;
  size_t have = 0;
  for (;;) {
    co_await watch.readable();
    const ssize_t seen = ::recv(fd, &bytes[have], bytes.size() - have, MSG_PEEK);
    if (seen < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (seen <= 0) co_return fail(ErrorCode::client_gone, Side::client, "the connection ended before its PROXY header");
    const auto there = have + static_cast<size_t>(seen);
    auto parsed = parse_proxy_header({bytes.data(), there});
    if (!parsed) co_return fail(ErrorCode::bad_request, Side::client, parsed.error());
    const size_t end = *parsed ? (*parsed)->size : there;
    (void)::recv(fd, &bytes[have], end - have, 0);
    if (*parsed) co_return std::move((*parsed)->header);
    have = end;
  }
}

}  // namespace

Task<Result<ProxyHeader>> read_proxy_header(Loop& loop, FdWatch& watch, int fd, Time deadline) {
  auto header = co_await before(loop, deadline, read(watch, fd));
  if (!header) co_return fail(ErrorCode::request_timeout, Side::client, "the PROXY header took too long");
  co_return std::move(*header);
}

}  // namespace weir::net
