#include "exchange/wire.h"

#include "async/race.h"
#include "exchange/backlog.h"
#include "net/splice_pipe.h"

namespace weir {

namespace {

constexpr size_t kEnough = 64 * 1024;         // more than this isn't gathered before it is written
constexpr size_t kWorthSplicing = 64 * 1024;  // a body's length; a smaller one is cheaper to copy
constexpr size_t kMostAtOnce = 1024 * 1024;   // bytes written in one turn to a peer that takes all: others wait
constexpr int kLooks = 8;                     // within a peer's patience

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
  Signal progress;           // something left, or nothing will any more
  Task<> writer;             // while the socket takes no more
  Time since{};              // of the last look that found the peer to have acknowledged bytes while `writer` waits
  int64_t acknowledged = 0;  // bytes, then
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

/// Measures a peer's patience for one stream, by looks at what the peer has acknowledged. While a window of the peer
/// keeps the stream back, what lies behind the last byte that this window let through doesn't count: a window that all
/// streams share is used by those that come first, and a peer that reads those is no stalled one.
class Wire::Progress {
 public:
  Progress(Wire& wire, http::StreamId stream, Duration patience)
      : wire_(wire), stream_(stream), patience_(patience), since_(now()), seen_(counted()) {
    plan();
  }

  /// When to look.
  Time next_look() const { return next_look_; }
  /// False: the peer has let its patience run out.
  bool look() {
    const int64_t counts = counted();
    if (counts > std::exchange(seen_, counts)) since_ = now();
    if (now() - since_ >= patience_ || wire_.has_stalled(patience_)) return false;
    plan();
    return true;
  }

 private:
  Time now() const { return wire_.loop_.now(); }
  int64_t counted() const {
    const int64_t delivered = wire_.delivered();
    const uint64_t end = wire_.codec_->window_end(stream_);
    return end == UINT64_MAX ? delivered : std::min(delivered, static_cast<int64_t>(end));
  }
  void plan() { next_look_ = std::min({now() + patience_ / kLooks, since_ + patience_, wire_.stalls_at(patience_)}); }

  Wire& wire_;
  const http::StreamId stream_;
  const Duration patience_;
  Time since_;    // of the last look that found progress
  int64_t seen_;  // then
  Time next_look_;
};

Time Wire::stalls_at(Duration patience) const {
  return shared_ && is_blocked() ? shared_->since + patience : Time::max();
}

bool Wire::has_stalled(Duration patience) {
  if (stalls_at(patience) > loop_.now()) return false;
  const int64_t acknowledged = delivered();
  if (acknowledged <= std::exchange(shared_->acknowledged, acknowledged)) return true;
  shared_->since = loop_.now();
  return false;
}

Task<Result<>> Wire::flush_shared(const Body& body, http::StreamId stream, Duration patience) {
  if (is_broken_) co_return std::unexpected(errors_.broken);
  send_soon();
  if (!is_blocked()) co_await shared_->progress.wait();  // the end of this turn
  const auto must_wait = [&] { return codec_->held_back(stream) > 0 || output_.bytes() >= kEnough; };
  if (!is_broken_ && !must_wait()) co_return Result<>();
  Progress progress(*this, stream, patience);
  while (!is_broken_ && must_wait()) {
    if (co_await before(loop_, progress.next_look(), until_notified(body, shared_->progress))) continue;
    if (!progress.look()) co_return std::unexpected(errors_.stalled);
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
  Progress progress(*this, stream, patience);
  while (!is_broken_) {
    if (has_left()) co_return Result<>();
    if (co_await before(loop_, progress.next_look(), until_notified(body, shared_->progress))) continue;
    if (!progress.look()) co_return std::unexpected(errors_.stalled);
  }
  co_return std::unexpected(errors_.broken);
}

Task<Result<>> Wire::drain(Duration patience) {
  for (int64_t seen = delivered(); is_backed_up();) {
    const Time until = std::min(loop_.now() + patience, shared_ ? stalls_at(patience) : Time::max());
    auto room = shared_ ? until_progress(shared_->progress) : until_room(socket_);
    if (co_await before(loop_, until, std::move(room))) {
      if (!shared_) (void)write();
    } else if (shared_ ? has_stalled(patience) : delivered() <= seen) {
      co_return std::unexpected(errors_.stalled);
    }
    if (!shared_) seen = delivered();
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
    shared_->since = loop_.now();
    shared_->acknowledged = delivered();
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

Task<Result<>> send_body(Body& body, Wire& wire, http::StreamId stream, Duration patience, uint64_t& bytes,
                         BodyWaits* waits) {
  auto& codec = wire.codec();
  const auto size = body.size();
  if (!wire.socket().tls() && codec.may_pass_out(stream) >= kWorthSplicing) body.allow_splice();
  for (;;) {
    auto reading = body.read();
    if (!reading.start()) {
      if (wire.has_unsent()) {  // what is ready doesn't wait for what isn't
        if (auto flushed = co_await wire.flush(body, stream, patience); !flushed) co_return flushed;
      }
      if (!reading.is_done()) {
        if (waits) waits->begin(wire.loop().now());
        co_await reading.settled();
        if (waits) waits->end(wire.loop().now());
      }
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
