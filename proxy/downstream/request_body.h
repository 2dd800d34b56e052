#pragma once

#include "exchange/pipe.h"

namespace weir::downstream {

class Stream;

/// The request's body, pulled from the pipe that the connection fills. Reading it settles `Expect: 100-continue`.
class RequestBody final : public Body {
 public:
  RequestBody(Arena& arena, Stream& stream, http::BodySize size) : Body(arena), stream_(stream), size_(size) {}

  Task<Result<Chunk>> read() override;
  http::BodySize size() const override { return size_; }
  bool is_exact() const override { return true; }
  bool rewind() override { return !is_touched_; }

 private:
  Stream& stream_;
  http::BodySize size_;
  bool is_touched_ = false;
};

/// Is a client sending its body fast enough? Time counts only while Weir waits for the client, not while the
/// upstream is the slow one.
class BodyPace {
 public:
  /// `rate` in bytes/s, asked for after `kGrace` of waiting; `pause` is the longest wait for any byte.
  void wait(Duration waited) {
    waited_ += waited;
    since_last_ += waited;
  }
  void count(size_t bytes) {
    bytes_ += bytes;
    since_last_ = {};
  }
  bool is_too_slow(uint64_t rate, Duration pause) const {
    if (since_last_ >= pause) return true;
    return waited_ > kGrace && static_cast<double>(bytes_) <
                                   static_cast<double>(rate) * std::chrono::duration<double>(waited_ - kGrace).count();
  }
  uint64_t bytes() const { return bytes_; }

 private:
  static constexpr Duration kGrace = std::chrono::seconds(5);
  uint64_t bytes_ = 0;
  Duration waited_{};
  Duration since_last_{};
};

}  // namespace weir::downstream
