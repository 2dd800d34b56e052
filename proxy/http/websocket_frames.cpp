#include "http/websocket_frames.h"

#include <algorithm>

namespace weir::http {

namespace {

constexpr unsigned char kOpcode = 0x0f;
constexpr unsigned char kClose = 8;
constexpr unsigned char kMasked = 0x80;
constexpr unsigned char kLength = 0x7f;
constexpr uint8_t kMaskBytes = 4;

uint8_t more_length(unsigned char length) { return length == 127 ? 8 : length == 126 ? 2 : 0; }

}  // namespace

void WebSocketFrames::pass(std::string_view bytes) {
  while (!bytes.empty()) {
    if (payload_ > 0) {
      const auto gone = std::min<uint64_t>(payload_, bytes.size());
      payload_ -= gone;
      bytes.remove_prefix(gone);
    } else {
      read_head(static_cast<unsigned char>(bytes.front()));
      bytes.remove_prefix(1);
    }
  }
}

void WebSocketFrames::read_head(unsigned char byte) {
  ++head_;
  if (head_ == 1) {
    is_close_ = (byte & kOpcode) == kClose;
    return;
  }
  if (head_ == 2) {
    const auto more = more_length(byte & kLength);
    length_ = more > 0 ? 0 : byte & kLength;
    length_end_ = 2 + more;
    head_end_ = length_end_ + (byte & kMasked ? kMaskBytes : 0);
  } else if (head_ <= length_end_) {
    length_ = length_ << 8 | byte;
  }
  if (head_ < head_end_) return;
  head_ = 0;
  payload_ = length_;
  is_closed_ = is_closed_ || is_close_;
}

}  // namespace weir::http
