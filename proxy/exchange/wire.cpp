#include "exchange/wire.h"

#include "async/race.h"

namespace weir {

namespace {

constexpr size_t kEnough = 64 * 1024;  // more than this isn't gathered before it is written

Task<bool> until_writable(net::Socket& socket) {
  co_await socket.writable();
  co_return true;
}

/// One write. True when all is out.
Result<bool> write(Wire& wire) {
  const auto transfer = wire.socket.send(wire.output);
  if (transfer.state == net::Transfer::State::failed) {
    wire.output.clear();
    return std::unexpected(wire.broken);
  }
  return transfer.state == net::Transfer::State::moved;
}

}  // namespace

Task<Result<>> flush(const Body&, Wire& wire) {
  for (;;) {
    const auto done = write(wire);
    if (!done) co_return std::unexpected(done.error());
    if (*done) co_return Result<>();
    wire.output.unpin();
    const auto ready = co_await before(wire.loop, wire.loop.now() + wire.patience, until_writable(wire.socket));
    if (!ready) co_return std::unexpected(wire.stalled);
  }
}

Task<Result<>> send_body(Body& body, Wire& wire, http::StreamId stream, uint64_t& bytes) {
  for (;;) {
    auto reading = body.read();
    if (!reading.start()) {
      if (!wire.output.is_empty()) {  // what is ready doesn't wait for what isn't
        if (auto flushed = co_await flush(body, wire); !flushed) co_return flushed;
      }
      if (!reading.is_done()) co_await reading.settled();
    }
    auto chunk = reading.take();
    if (!chunk) {
      (void)co_await flush(body, wire);
      co_return std::unexpected(chunk.error());
    }
    if (chunk->is_end) {
      wire.codec.send_end(stream, chunk->trailers);
      co_return co_await flush(body, wire);
    }
    bytes += chunk->data.size();
    wire.codec.send_data(stream, std::move(chunk->data));
    if (wire.output.bytes() >= kEnough) {
      if (auto flushed = co_await flush(body, wire); !flushed) co_return flushed;
    }
  }
}

}  // namespace weir
