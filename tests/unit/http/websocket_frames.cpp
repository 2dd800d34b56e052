#include "http/websocket_frames.h"

#include <doctest/doctest.h>

#include <string>

namespace weir::http {

namespace {

constexpr unsigned char kText = 1;
constexpr unsigned char kPing = 9;

enum class Masked : uint8_t { no, yes };

std::string frame(unsigned char opcode, size_t size, Masked masked = Masked::no) {
  const unsigned char mask_bit = masked == Masked::yes ? 0x80 : 0;
  std::string bytes(1, static_cast<char>(0x80 | opcode));
  const int more = size > 0xffff ? 8 : size > 125 ? 2 : 0;
  bytes += static_cast<char>(mask_bit | (more == 8 ? 127 : more == 2 ? 126 : size));
  for (int i = more - 1; i >= 0; --i) bytes += static_cast<char>(size >> (8 * i) & 0xff);
  if (masked == Masked::yes) bytes += "mask";
  return bytes + std::string(size, '\x88');  // payload that looks like Close frames
}

/// Passed in pieces of so many bytes.
WebSocketFrames after(std::string_view bytes, size_t fragment) {
  WebSocketFrames frames;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(fragment, bytes.size()))) frames.pass(bytes.substr(0, fragment));
  return frames;
}

constexpr size_t kFragments[] = {1, 2, 3, 7, 31, std::string_view::npos};

}  // namespace

TEST_CASE("websocket frames: a frame may follow a whole one of any length, masked or not") {
  CHECK(WebSocketFrames().takes_another());
  for (const size_t size : {0, 1, 125, 126, 127, 65535, 65536, 100'000}) {
    for (const Masked masked : {Masked::no, Masked::yes}) {
      for (const size_t fragment : kFragments) {
        CHECK(after(frame(kText, size, masked) + frame(kPing, 5, masked), fragment).takes_another());
      }
    }
  }
}

TEST_CASE("websocket frames: none may be put into another") {
  for (const size_t size : {1, 126, 65536}) {
    const auto bytes = frame(kText, 3) + frame(kText, size, Masked::yes);
    for (size_t cut = frame(kText, 3).size() + 1; cut < bytes.size(); cut += 1 + cut / 64) {
      for (const size_t fragment : kFragments) CHECK_FALSE(after({bytes.data(), cut}, fragment).takes_another());
    }
  }
}

TEST_CASE("websocket frames: none may follow the peer's own Close") {
  for (const size_t fragment : kFragments) {
    CHECK_FALSE(after(kGoingAway, fragment).takes_another());
    CHECK_FALSE(after(frame(kText, 9, Masked::yes) + std::string(kGoingAwayMasked), fragment).takes_another());
    CHECK_FALSE(after(std::string(kGoingAway) + frame(kPing, 0), fragment).takes_another());
  }
}

}  // namespace weir::http
