#include "exchange/wire.h"

#include "async/race.h"
#include "exchange/backlog.h"
#include "net/splice_pipe.h"

namespace weir {

namespace {

constexpr size_t kEnough = 64 * 1024;         // more than this isn't gathered before it is written
constexpr size_t kWorthSplicing = 64 * 1024;  // a body's length; a smaller one is cheaper to copy
constexpr size_t kMostAtOnce = 1024 * 1024;   // bytes written in one turn to a peer that takes all: others wait

Task<bool> until_writable(const Body&, net::Socket& socket) {
  co_await socket.writable();
  co_return true;
}

Task<bool> until_notified(const Body&, Signal& signal) {
  co_await signal.wait();
  co_return true;
}

Task<bool> until_progress(Signal& signal) {
  co_await signal.wait();
  co_return true;
}

Task<bool> until_room(net::Socket& socket) {
  co_await socket.writable();
  co_return true;
}

}  // namespace

struct Wire::Shared {
  Shared(Loop& loop, const Wire& wire) : progress(loop), backlog(wire) {}

  struct Turn : EndOfTick {
    Wire* wire;
  } turn;
  Signal progress;  // something left, or nothing will any more
  Task<> writer;    // while the socket takes no more
  Backlog backlog;
};

Wire::Wire(Loop& loop, net::Socket& socket, BlockPool& blocks, const Errors& errors)
    : loop_(loop), socket_(socket), output_(blocks), errors_(errors) {}

Wire::~Wire() = default;

void Wire::use(http::Codec& codec) {
  codec_ = &codec;
  if (!codec.is_multiplexed()) return;
  shared_ = std::make_unique<Shared>(loop_, *this);
  shared_->turn.wire = this;
  shared_->turn.run = [](Ready& turn) { static_cast<Shared::Turn&>(turn).wire->write_shared(); };
}

Signal& Wire::progress() { return shared_->progress; }

Backlog* Wire::backlog() const { return shared_ ? &shared_->backlog : nullptr; }

bool Wire::is_crowded() const { return shared_ && shared_->backlog.shared_room() == 0; }

Result<bool> Wire::write() {
  const uint64_t most = output_.consumed() + kMostAtOnce;
  do {
    codec_->flush();
    const auto transfer = socket_.send(output_);
    if (transfer.state == net::Transfer::State::failed) {
      is_broken_ = true;
      output_.clear();
      return std::unexpected(errors_.broken);
    }
    if (transfer.state != net::Transfer::State::moved) return false;
  } while (codec_->has_more() && output_.consumed() < most);
  return !codec_->has_more();
}

int64_t Wire::delivered() const {
  return static_cast<int64_t>(output_.consumed()) - static_cast<int64_t>(socket_.undelivered());
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

Task<Result<>> Wire::finish(const Body& body, http::StreamId stream, Duration patience) {
  return shared_ ? finish_shared(body, stream, patience) : flush_alone(body, patience);
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

/// The kernel reports room when a good part of its buffer is free, which takes a slow peer minutes. What the peer has
/// acknowledged in the meantime is progress, too.
Task<Result<>> Wire::wait_writable(const Body& body, Duration patience) {
  for (int64_t seen = delivered();;) {
    if (co_await before(loop_, loop_.now() + patience, until_writable(body, socket_))) co_return Result<>();
    if (delivered() <= std::exchange(seen, delivered())) co_return std::unexpected(errors_.stalled);
  }
}

// Many streams.

namespace {

/// Measures a peer's patience: the stream's own bytes count as progress; those of other streams only while no window
/// of the peer keeps this stream back.
class Progress {
 public:
  Progress(const Wire& wire, http::StreamId stream)
      : wire_(wire), codec_(wire.codec()), output_(wire.output()), stream_(stream) {}

  bool has_moved() {
    const size_t held = codec_.held_back(stream_);
    const uint64_t consumed = output_.consumed();
    const bool moved = held < held_ || (others_count() && consumed > consumed_);
    held_ = held;
    consumed_ = consumed;
    return moved;
  }
  /// Asked when patience is over: whether the peer has acknowledged bytes since the last time.
  bool has_delivered() {
    const int64_t delivered = wire_.delivered();
    return delivered > std::exchange(delivered_, delivered) && others_count();
  }

 private:
  bool others_count() const { return !codec_.is_holding(stream_) || !codec_.is_window_closed(stream_); }

  const Wire& wire_;
  const http::Codec& codec_;
  const Output& output_;
  const http::StreamId stream_;
  size_t held_ = 0;
  uint64_t consumed_ = 0;
  int64_t delivered_ = wire_.delivered();
};

}  // namespace

Task<Result<>> Wire::flush_shared(const Body& body, http::StreamId stream, Duration patience) {
  if (is_broken_) co_return std::unexpected(errors_.broken);
  send_soon();
  if (!is_blocked()) co_await shared_->progress.wait();  // the end of this turn
  const auto must_wait = [&] { return codec_->held_back(stream) > 0 || output_.bytes() >= kEnough; };
  if (!is_broken_ && !must_wait()) co_return Result<>();
  Progress progress(*this, stream);
  auto until = loop_.now() + patience;
  while (!is_broken_ && must_wait()) {
    if (progress.has_moved()) until = loop_.now() + patience;
    if (co_await before(loop_, until, until_notified(body, shared_->progress))) continue;
    if (!progress.has_delivered()) co_return std::unexpected(errors_.stalled);
    until = loop_.now() + patience;
  }
  if (is_broken_) co_return std::unexpected(errors_.broken);
  co_return Result<>();
}

/// The end of a stream's bytes in the output is known once the codec holds none of them.
Task<Result<>> Wire::finish_shared(const Body& body, http::StreamId stream, Duration patience) {
  if (is_broken_) co_return std::unexpected(errors_.broken);
  send_soon();
  if (!is_blocked()) co_await shared_->progress.wait();  // the end of this turn
  std::optional<uint64_t> end;
  const auto has_left = [&] {
    if (!end && !codec_->is_holding(stream)) end = output_.consumed() + output_.bytes();
    return end && output_.consumed() >= *end;
  };
  if (!is_broken_ && has_left()) co_return Result<>();
  Progress progress(*this, stream);
  auto until = loop_.now() + patience;
  while (!is_broken_) {
    if (has_left()) co_return Result<>();
    if (progress.has_moved()) until = loop_.now() + patience;
    if (co_await before(loop_, until, until_notified(body, shared_->progress))) continue;
    if (!progress.has_delivered()) co_return std::unexpected(errors_.stalled);
    until = loop_.now() + patience;
  }
  co_return std::unexpected(errors_.broken);
}

Task<Result<>> Wire::drain(Duration patience) {
  int64_t seen = delivered();
  while (!is_broken_ && is_backed_up()) {
    const Time until = loop_.now() + patience;
    auto room = shared_ ? until_progress(shared_->progress) : until_room(socket_);
    const bool has_room = co_await before(loop_, until, std::move(room)) != std::nullopt;
    if (!has_room && delivered() <= seen) co_return std::unexpected(errors_.stalled);
    seen = delivered();
    if (!shared_ && has_room) (void)write();
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
  const auto size = body.size();
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
      if (!wire.is_flushed_at_once()) flushed = co_await wire.finish(body, stream, patience);
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
    // The end leaves with the last bytes where these are known to be the last: a closed window would keep it back.
    const bool is_whole = size.kind == http::BodySize::Kind::known && bytes >= size.bytes;
    if (!is_whole && wire.output().bytes() + codec.held_back(stream) >= (wire.is_crowded() ? 1 : kEnough)) {
      if (auto flushed = co_await wire.flush(body, stream, patience); !flushed) co_return flushed;
    }
  }
}

}  // namespace weir
