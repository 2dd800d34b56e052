#pragma once

#include <cstdint>
#include <string_view>

namespace weir::http {

/// Where one direction of a WebSocket stands between its frames (RFC 6455 section 5.2), so that a frame of ours can
/// follow the peer's. Looks at the heads of frames and keeps no byte.
class WebSocketFrames {
 public:
  /// So much has gone by.
  void pass(std::string_view bytes);
  /// The last frame is whole, and it wasn't the Close frame.
  bool takes_another() const { return head_ == 0 && payload_ == 0 && !is_closed_; }

 private:
  void read_head(unsigned char byte);

  uint64_t payload_ = 0;    // bytes of it that are still to come
  uint64_t length_ = 0;     // as far as it has been read
  uint8_t head_ = 0;        // bytes of a frame's head that have come
  uint8_t length_end_ = 2;  // where the length ends in the head
  uint8_t head_end_ = 2;    // behind the mask
  bool is_close_ = false;   // this frame
  bool is_closed_ = false;
};

/// A Close frame that says 1001, "going away", as an endpoint sends it, and as a client does: masked. A mask keeps a
/// page's bytes from being taken for something else on the way; these are always the same, so it may be zero.
inline constexpr std::string_view kGoingAway{"\x88\x02\x03\xe9", 4};
inline constexpr std::string_view kGoingAwayMasked{"\x88\x82\0\0\0\0\x03\xe9", 8};

}  // namespace weir::http
