#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/units.h"

namespace weir {

/// How much of a line the values from outside may take, in bytes as written.
struct LineLimits {
  size_t value = 4 * 1024;    // one value
  size_t values = 64 * 1024;  // all values of a line together
};

/// Text appended to memory of fixed size. A value from outside beyond the limits is truncated and ends with
/// `...[+COUNT]`, the count of its bytes that were left out. Anything else that does not fit makes the line
/// incomplete (`is_whole` false).
class Line {
 public:
  static constexpr size_t kMarkSize = 5 + 20 + 1;  // "...[+", the largest count, "]"; added even when no share is left

  explicit Line(std::span<char> room, const LineLimits& limits = {})
      : begin_(room.data()), at_(begin_), end_(begin_ + room.size()), limits_(limits) {}

  void add(std::string_view text) {
    if (text.size() > static_cast<size_t>(end_ - at_)) return overflow();
    at_ = std::copy(text.begin(), text.end(), at_);
  }
  void add(char c) { add(std::string_view(&c, 1)); }
  void add_number(uint64_t number) {
    const auto [next, error] = std::to_chars(at_, end_, number);
    if (error != std::errc()) return overflow();
    at_ = next;
  }
  /// In seconds with microsecond precision: "0.042017".
  void add_seconds(Duration took);

  // Values from outside.
  /// The inside of a JSON string: quotes, backslashes and CTLs escaped, bytes that aren't UTF-8 replaced.
  void add_json(std::string_view text);
  /// As nginx and Apache write it: quotes, backslashes, CTLs and 8-bit bytes as \xHH.
  void add_escaped(std::string_view text);
  /// The inside of a quoted value of the process log: quotes and backslashes escaped, line ends and CTLs too.
  void add_quoted(std::string_view text);

  bool is_whole() const { return whole_; }
  size_t size() const { return static_cast<size_t>(at_ - begin_); }

 private:
  /// Adds `text` piece by piece, each as `next` splits it off and escapes it, until the value's share is used up.
  template <class Next>
  void add_value(std::string_view text, Next next);
  void overflow() {
    whole_ = false;
    end_ = at_;
  }

  char* begin_;
  char* at_;
  char* end_;
  LineLimits limits_;
  bool whole_ = true;
};

}  // namespace weir
