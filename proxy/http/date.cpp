#include "http/date.h"

#include "base/text.h"
#include "http/syntax.h"

namespace weir::http {

namespace {

using namespace std::chrono;

constexpr std::string_view kDays = "SunMonTueWedThuFriSat";
constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";

// Takes a date apart from left to right; once something didn't fit, nothing fits.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  void expect(std::string_view text) {
    if (!equals_ignoring_case(rest_.substr(0, text.size()), text)) return fail();
    rest_.remove_prefix(text.size());
  }
  int number(size_t digits) {
    int value = 0;
    for (char c : take(digits)) {
      if (!is_digit(c)) fail();
      value = value * 10 + (c - '0');
    }
    return value;
  }
  // asctime's day of the month: " 6" or "16".
  int padded_number() {
    if (rest_.starts_with(' ')) {
      rest_.remove_prefix(1);
      return number(1);
    }
    return number(2);
  }
  // Which of three-letter `names` comes next, from 0.
  unsigned word(std::string_view names) {
    const auto name = take(3);
    for (size_t at = 0; at < names.size(); at += 3) {
      if (equals_ignoring_case(names.substr(at, 3), name)) return static_cast<unsigned>(at / 3);
    }
    fail();
    return 0;
  }
  seconds time() {
    const int h = number(2);
    expect(":");
    const int m = number(2);
    expect(":");
    const int s = number(2);  // 60 is a leap second
    if (h > 23 || m > 59 || s > 60) fail();
    return hours(h) + minutes(m) + seconds(s);
  }
  bool is_done() const { return !failed_ && rest_.empty(); }

 private:
  std::string_view take(size_t count) {
    if (rest_.size() < count) {
      fail();
      return {};
    }
    const auto taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  void fail() { failed_ = true; }

  std::string_view rest_;
  bool failed_ = false;
};

std::optional<DateTime> combine(const Scanner& scanner, int y, unsigned month_index, int d, seconds time) {
  const year_month_day date{year(y), month(month_index + 1), day(static_cast<unsigned>(d))};
  if (!scanner.is_done() || !date.ok()) return std::nullopt;
  return sys_days(date) + time;
}

// "Sun, 06 Nov 1994 08:49:37 GMT"
std::optional<DateTime> parse_fixdate(std::string_view text) {
  Scanner scanner(text);
  scanner.word(kDays);
  scanner.expect(", ");
  const int d = scanner.number(2);
  scanner.expect(" ");
  const auto month_index = scanner.word(kMonths);
  scanner.expect(" ");
  const int y = scanner.number(4);
  scanner.expect(" ");
  const auto time = scanner.time();
  scanner.expect(" GMT");
  return combine(scanner, y, month_index, d, time);
}

// "06-Nov-94 08:49:37 GMT", the weekday's long name taken off. Two digits of a year more than 50 years ahead mean
// the past; for a reader of stored dates 1970-2069 does.
std::optional<DateTime> parse_rfc850(std::string_view text) {
  Scanner scanner(text);
  const int d = scanner.number(2);
  scanner.expect("-");
  const auto month_index = scanner.word(kMonths);
  scanner.expect("-");
  const int y = scanner.number(2);
  scanner.expect(" ");
  const auto time = scanner.time();
  scanner.expect(" GMT");
  return combine(scanner, y < 70 ? 2000 + y : 1900 + y, month_index, d, time);
}

// "Sun Nov  6 08:49:37 1994"
std::optional<DateTime> parse_asctime(std::string_view text) {
  Scanner scanner(text);
  scanner.word(kDays);
  scanner.expect(" ");
  const auto month_index = scanner.word(kMonths);
  scanner.expect(" ");
  const int d = scanner.padded_number();
  scanner.expect(" ");
  const auto time = scanner.time();
  scanner.expect(" ");
  const int y = scanner.number(4);
  return combine(scanner, y, month_index, d, time);
}

}  // namespace

std::array<char, kDateLength> format_date(DateTime time) {
  const auto midnight = floor<days>(time);
  const year_month_day date(midnight);
  const hh_mm_ss clock(time - midnight);
  const int y = static_cast<int>(date.year());

  std::array<char, kDateLength> text;
  char* to = text.data();
  const auto add = [&to](std::string_view part) {
    for (char c : part) *to++ = c;
  };
  const auto add_two = [&to](long number) {
    *to++ = static_cast<char>('0' + number / 10 % 10);
    *to++ = static_cast<char>('0' + number % 10);
  };
  add(kDays.substr(weekday(midnight).c_encoding() * 3, 3));
  add(", ");
  add_two(static_cast<unsigned>(date.day()));
  add(" ");
  add(kMonths.substr((static_cast<unsigned>(date.month()) - 1) * 3, 3));
  add(" ");
  add_two(y / 100);
  add_two(y % 100);
  add(" ");
  add_two(clock.hours().count());
  add(":");
  add_two(clock.minutes().count());
  add(":");
  add_two(clock.seconds().count());
  add(" GMT");
  return text;
}

std::optional<DateTime> parse_date(std::string_view text) {
  const auto comma = text.find(',');
  if (comma == 3) return parse_fixdate(text);
  if (comma != std::string_view::npos && text.substr(comma).starts_with(", "))
    return parse_rfc850(text.substr(comma + 2));
  return parse_asctime(text);
}

}  // namespace weir::http
