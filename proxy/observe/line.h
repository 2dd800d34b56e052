#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/units.h"

namespace weir::observe {

/// Text appended to memory of fixed size. What doesn't fit makes the line void (`is_whole` false), never cut.
class Line {
 public:
  explicit Line(std::span<char> room) : begin_(room.data()), at_(begin_), end_(begin_ + room.size()) {}

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
  /// In seconds with millisecond precision: "0.042".
  void add_seconds(Duration took);
  /// The inside of a JSON string: quotes, backslashes and CTLs escaped, bytes that aren't UTF-8 replaced.
  void add_json(std::string_view text);
  /// As nginx and Apache write it: quotes, backslashes, CTLs and 8-bit bytes as \xHH.
  void add_escaped(std::string_view text);

  bool is_whole() const { return whole_; }
  size_t size() const { return static_cast<size_t>(at_ - begin_); }

 private:
  void overflow() {
    whole_ = false;
    end_ = at_;
  }

  char* begin_;
  char* at_;
  char* end_;
  bool whole_ = true;
};

}  // namespace weir::observe
