#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::plugins {

/// One range of bytes, both ends included, within the representation.
struct ByteRange {
  uint64_t first = 0;
  uint64_t last = 0;
  uint64_t size() const { return last - first + 1; }
  bool operator==(const ByteRange&) const = default;
};

/// What a Range field (RFC 9110 section 14.2) asks of `total` bytes.
struct RangeAsked {
  enum class Kind : uint8_t {
    whole,           // none, malformed, another unit, or several ranges: the whole representation is the answer
    part,            // `range`
    not_satisfiable  // 416
  } kind = Kind::whole;
  ByteRange range;
};
RangeAsked asked_range(std::string_view field, uint64_t total);

/// The same before the total is known: a single range with a first byte, "5-9" or "5-". Nothing for anything else.
struct OpenRange {
  uint64_t first = 0;
  std::optional<uint64_t> last;
};
std::optional<OpenRange> open_range(std::string_view field);

}  // namespace weir::plugins
