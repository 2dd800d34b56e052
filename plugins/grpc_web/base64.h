#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::plugins {

/// RFC 4648 section 4. Writes 4 characters to `out` for each 3 bytes or what is left of them; returns how many.
size_t encode_base64(std::string_view bytes, char* out);

/// Takes base64 in any pieces. Padding may come in the middle: gRPC-Web joins texts that were encoded on their own.
class Base64Decoder {
 public:
  /// Writes at most 3 bytes to `out` for each 4 characters, those of earlier pieces among them; returns how many, or
  /// nothing when this is no base64.
  std::optional<size_t> decode(std::string_view text, char* out);
  /// No group of four has begun without being complete.
  bool is_whole() const { return count_ == 0; }

 private:
  uint32_t bits_ = 0;
  uint8_t count_ = 0;    // characters of this group
  uint8_t padding_ = 0;  // '=' among them
};

}  // namespace weir::plugins
