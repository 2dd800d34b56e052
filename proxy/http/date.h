#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <string_view>

namespace weir::http {

/// Seconds of wall-clock time, as HTTP dates have them.
using DateTime = std::chrono::sys_seconds;

inline constexpr size_t kDateLength = 29;

/// IMF-fixdate (RFC 9110 section 5.6.7): "Sun, 06 Nov 1994 08:49:37 GMT". Years 0 to 9999.
std::array<char, kDateLength> format_date(DateTime time);

/// All three forms that a recipient must read: IMF-fixdate, RFC 850's and asctime's. In any case of
/// letters (RFC 9111 section 4.2). Nothing when malformed.
std::optional<DateTime> parse_date(std::string_view text);

/// The text of the present second, made once a second. One per worker.
class DateCache {
 public:
  /// Valid until the next call.
  std::string_view at(DateTime now) {
    if (now != time_ || text_[0] == '\0') {
      time_ = now;
      text_ = format_date(now);
    }
    return {text_.data(), text_.size()};
  }

 private:
  DateTime time_{};
  std::array<char, kDateLength> text_{};
};

}  // namespace weir::http
