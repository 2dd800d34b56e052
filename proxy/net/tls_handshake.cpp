#include "net/tls_handshake.h"

#include "async/race.h"

namespace weir::net {

namespace {

using Outcome = std::expected<void, TlsFailure>;

Task<Outcome> shake(Socket& socket) {
  TlsSession& session = *socket.tls();
  if (!session.client()) co_await socket.readable();  // the client speaks first
  for (;;) {
    switch (session.shake_hands()) {
      case TlsSession::Step::done: co_return Outcome();
      case TlsSession::Step::wants_read: co_await socket.readable(); break;
      case TlsSession::Step::wants_write: co_await socket.writable(); break;
      case TlsSession::Step::failed: co_return std::unexpected(session.failure());
    }
  }
}

}  // namespace

Task<Outcome> shake_hands(Loop& loop, Socket& socket, Time deadline) {
  auto outcome = co_await before(loop, deadline, shake(socket));
  if (outcome) co_return *outcome;
  socket.tls()->spoil();
  co_return std::unexpected(TlsFailure{TlsFault::timed_out, "the handshake took too long"});
}

}  // namespace weir::net
