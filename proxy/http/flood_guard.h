#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir::http {

/// Tells a flood of HTTP/2 frames from a busy peer. It has no clock: two budgets are spent by what only costs us, and
/// filled by what a peer does with a purpose. Who is over budget is told ENHANCE_YOUR_CALM.
///
/// - *Frames* that carry nothing (SETTINGS, PING, WINDOW_UPDATE, RST_STREAM, empty DATA). Each read fills this one a
///   little, so that a peer that pings for days isn't taken for one that pings a thousand times at once.
/// - *Wasted streams*: reset before they were answered, refused or malformed. Only answered streams fill this one.
class FloodGuard {
 public:
  enum class Verdict : bool { busy, flood };

  /// Bytes have arrived.
  void has_read() { frames_.fill(4); }
  /// Bytes of a body have moved, in either direction.
  void has_moved(size_t bytes) { frames_.fill(1 + bytes / 256); }
  /// A stream was opened.
  void has_opened() { frames_.fill(4); }
  /// The last GOAWAY goes: what crosses it on its way is no flood yet.
  void has_left() { frames_.fill(kMostFrames); }
  /// A stream has its answer.
  void has_answered() { streams_.fill(2); }

  Verdict frame() { return frames_.spend(); }
  Verdict wasted_stream() { return streams_.spend(); }

  /// Half of the streams that a new connection may waste are left, or fewer.
  bool is_half_wasted() const { return streams_.left() <= kFirstStreams / 2; }

 private:
  class Budget {
   public:
    Budget(uint32_t first, uint32_t most) : left_(first), most_(most) {}
    void fill(size_t count) { left_ = count < most_ - left_ ? left_ + static_cast<uint32_t>(count) : most_; }
    Verdict spend() {
      if (left_ == 0) return Verdict::flood;
      --left_;
      return Verdict::busy;
    }
    uint32_t left() const { return left_; }

   private:
    uint32_t left_;
    uint32_t most_;
  };
  static constexpr uint32_t kMostFrames = 2000;
  static constexpr uint32_t kFirstStreams = 200;

  Budget frames_{500, kMostFrames};
  Budget streams_{kFirstStreams, 1000};
};

}  // namespace weir::http
