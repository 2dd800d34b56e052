#include "exchange/wire.h"

#include "async/race.h"
#include "net/splice_pipe.h"

namespace weir {

namespace {

constexpr size_t kEnough = 64 * 1024;         // more than this isn't gathered before it is written
constexpr size_t kWorthSplicing = 64 * 1024;  // a body's length; a smaller one is cheaper to copy

Task<bool> until_writable(net::Socket& socket) {
  co_await socket.writable();
  co_return true;
}

/// Until the peer takes more.
Task<Result<>> wait_writable(const Body&, Wire& wire) {
  const auto ready = co_await before(wire.loop, wire.loop.now() + wire.patience, until_writable(wire.socket));
  if (!ready) co_return std::unexpected(wire.stalled);
  co_return Result<>();
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

Task<Result<>> flush(const Body& body, Wire& wire) {
  for (;;) {
    const auto done = write(wire);
    if (!done) co_return std::unexpected(done.error());
    if (*done) co_return Result<>();
    wire.output.unpin();
    if (auto ready = co_await wait_writable(body, wire); !ready) co_return ready;
  }
}

namespace {

/// All that `pipe` holds, from kernel to kernel. What waits in the output goes first.
Task<Result<>> send_spliced(const Body& body, Wire& wire, net::SplicePipe& pipe) {
  if (!wire.output.is_empty()) {
    if (auto flushed = co_await flush(body, wire); !flushed) co_return flushed;
  }
  for (;;) {
    const auto transfer = pipe.drain(wire.socket);
    if (transfer.state == net::Transfer::State::moved) co_return Result<>();
    if (transfer.state != net::Transfer::State::blocked) co_return std::unexpected(wire.broken);
    if (auto ready = co_await wait_writable(body, wire); !ready) co_return ready;
  }
}

}  // namespace

Task<Result<>> send_body(Body& body, Wire& wire, http::StreamId stream, uint64_t& bytes) {
  if (wire.codec.may_pass_out(stream) >= kWorthSplicing) body.allow_splice();
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
    if (chunk->spliced) {
      const size_t held = chunk->spliced->held();
      if (auto sent = co_await send_spliced(body, wire, *chunk->spliced); !sent) co_return sent;
      wire.codec.passed_out(stream, held);
      bytes += held;
      continue;
    }
    bytes += chunk->data.size();
    wire.codec.send_data(stream, std::move(chunk->data));
    if (wire.output.bytes() >= kEnough) {
      if (auto flushed = co_await flush(body, wire); !flushed) co_return flushed;
    }
  }
}

}  // namespace weir
