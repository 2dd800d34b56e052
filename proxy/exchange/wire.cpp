#include "exchange/wire.h"

#include "async/race.h"
#include "net/splice_pipe.h"

namespace weir {

namespace {

constexpr size_t kEnough = 64 * 1024;         // more than this isn't gathered before it is written
constexpr size_t kWorthSplicing = 64 * 1024;  // a body's length; a smaller one is cheaper to copy

Task<bool> until_writable(const Body&, net::Socket& socket) {
  co_await socket.writable();
  co_return true;
}

Task<bool> until_notified(const Body&, Signal& signal) {
  co_await signal.wait();
  co_return true;
}

}  // namespace

struct Wire::Shared {
  explicit Shared(Loop& loop) : progress(loop) {}

  struct Turn : EndOfTick {
    Wire* wire;
  } turn;
  Signal progress;  // something left, or nothing will any more
  Task<> writer;    // while the socket takes no more
};

Wire::Wire(Loop& loop, net::Socket& socket, BlockPool& blocks, const Errors& errors)
    : loop_(loop), socket_(socket), output_(blocks), errors_(errors) {}

Wire::~Wire() = default;

void Wire::use(http::Codec& codec) {
  codec_ = &codec;
  if (!codec.is_multiplexed()) return;
  shared_ = std::make_unique<Shared>(loop_);
  shared_->turn.wire = this;
  shared_->turn.run = [](Ready& turn) { static_cast<Shared::Turn&>(turn).wire->write_shared(); };
}

Result<bool> Wire::write() {
  codec_->flush();
  const auto transfer = socket_.send(output_);
  if (transfer.state == net::Transfer::State::failed) {
    is_broken_ = true;
    output_.clear();
    return std::unexpected(errors_.broken);
  }
  return transfer.state == net::Transfer::State::moved;
}

void Wire::send_soon() {
  if (shared_) {
    loop_.at_end_of_tick(shared_->turn);
  } else {
    (void)write();
  }
}

Task<Result<>> Wire::flush(const Body& body, http::StreamId stream, Duration patience) {
  return shared_ ? flush_shared(body, stream, patience) : flush_alone(body, patience);
}

Task<Result<>> Wire::flush_alone(const Body& body, Duration patience) {
  if (is_broken_) co_return std::unexpected(errors_.broken);
  for (;;) {
    const auto done = write();
    if (!done) co_return std::unexpected(done.error());
    if (*done) co_return Result<>();
    output_.unpin();
    if (auto ready = co_await wait_writable(body, patience); !ready) co_return ready;
  }
}

Task<Result<>> Wire::wait_writable(const Body& body, Duration patience) {
  if (co_await before(loop_, loop_.now() + patience, until_writable(body, socket_))) co_return Result<>();
  co_return std::unexpected(errors_.stalled);
}

// Many streams.

Task<Result<>> Wire::flush_shared(const Body& body, http::StreamId stream, Duration patience) {
  if (is_broken_) co_return std::unexpected(errors_.broken);
  send_soon();
  if (!is_blocked()) co_await shared_->progress.wait();  // the end of this turn
  auto held = codec_->held_back(stream);
  auto until = loop_.now() + patience;
  while (!is_broken_ && (held > 0 || output_.bytes() >= kEnough)) {
    if (!co_await before(loop_, until, until_notified(body, shared_->progress))) {
      co_return std::unexpected(errors_.stalled);
    }
    const auto left = codec_->held_back(stream);
    if (left < held || held == 0) until = loop_.now() + patience;  // other streams' progress doesn't count for it
    held = left;
  }
  if (is_broken_) co_return std::unexpected(errors_.broken);
  co_return Result<>();
}

bool Wire::is_blocked() const { return shared_->writer && !shared_->writer.is_done(); }

/// While the socket is full, what the codec holds back stays there.
void Wire::write_shared() {
  if (is_blocked()) return;
  const auto done = write();
  if (done && !*done) {
    output_.unpin();
    shared_->writer = write_on();
    shared_->writer.start();
  }
  shared_->progress.notify();
}

Task<> Wire::write_on() {
  for (;;) {
    co_await socket_.writable();
    const auto done = write();
    shared_->progress.notify();
    if (!done || *done) co_return;
  }
}

Task<Result<>> Wire::send_spliced(const Body& body, http::StreamId stream, net::SplicePipe& pipe, Duration patience) {
  if (!output_.is_empty()) {
    if (auto flushed = co_await flush(body, stream, patience); !flushed) co_return flushed;
  }
  const size_t held = pipe.held();
  for (;;) {
    const auto transfer = pipe.drain(socket_);
    if (transfer.state == net::Transfer::State::moved) break;
    if (transfer.state != net::Transfer::State::blocked) co_return std::unexpected(errors_.broken);
    if (auto ready = co_await wait_writable(body, patience); !ready) co_return ready;
  }
  codec_->passed_out(stream, held);
  co_return Result<>();
}

Task<Result<>> send_body(Body& body, Wire& wire, http::StreamId stream, Duration patience, uint64_t& bytes) {
  auto& codec = wire.codec();
  if (!wire.socket().tls() && codec.may_pass_out(stream) >= kWorthSplicing) body.allow_splice();
  for (;;) {
    auto reading = body.read();
    if (!reading.start()) {
      if (wire.has_unsent()) {  // what is ready doesn't wait for what isn't
        if (auto flushed = co_await wire.flush(body, stream, patience); !flushed) co_return flushed;
      }
      if (!reading.is_done()) co_await reading.settled();
    }
    auto chunk = reading.take();
    if (!chunk) {
      (void)co_await wire.flush(body, stream, patience);
      co_return std::unexpected(chunk.error());
    }
    if (chunk->is_end) {
      codec.send_end(stream, chunk->trailers);
      Result<> flushed;
      if (!wire.is_flushed_at_once()) flushed = co_await wire.flush(body, stream, patience);
      if (flushed && codec.ends_with_fin()) wire.socket().finish_writing();
      co_return flushed;
    }
    if (chunk->spliced) {
      bytes += chunk->spliced->held();
      if (auto sent = co_await wire.send_spliced(body, stream, *chunk->spliced, patience); !sent) co_return sent;
      continue;
    }
    bytes += chunk->data.size();
    codec.send_data(stream, std::move(chunk->data));
    if (wire.output().bytes() + codec.held_back(stream) >= kEnough) {
      if (auto flushed = co_await wire.flush(body, stream, patience); !flushed) co_return flushed;
    }
  }
}

}  // namespace weir
