#include "base/wall_clock_text.h"

#include <cstdio>
#include <ctime>

namespace weir {

using std::chrono::floor;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr size_t kMilliseconds = 20;  // where they stand, behind "1994-11-06T08:49:37."
constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

}  // namespace

void WallClockText::render(Instant when) {
  const std::time_t second = floor<seconds>(when).time_since_epoch().count();
  if (second == second_) return;
  second_ = second;
  std::tm utc{};
  gmtime_r(&second, &utc);
  const unsigned year = static_cast<unsigned>(utc.tm_year + 1900) % 10000;
  const auto two = [](int number) { return static_cast<unsigned>(number) % 100; };
  std::snprintf(rfc3339_, sizeof rfc3339_, "%04u-%02u-%02uT%02u:%02u:%02u.000Z", year, two(utc.tm_mon + 1),
                two(utc.tm_mday), two(utc.tm_hour), two(utc.tm_min), two(utc.tm_sec));
  common_size_ =
      static_cast<size_t>(std::snprintf(common_, sizeof common_, "%02u/%s/%04u:%02u:%02u:%02u +0000", two(utc.tm_mday),
                                        kMonths[utc.tm_mon], year, two(utc.tm_hour), two(utc.tm_min), two(utc.tm_sec)));
}

std::string_view WallClockText::rfc3339(Instant when) {
  render(when);
  const auto ms = floor<milliseconds>(when).time_since_epoch().count() - second_ * 1000;
  rfc3339_[kMilliseconds] = static_cast<char>('0' + ms / 100);
  rfc3339_[kMilliseconds + 1] = static_cast<char>('0' + ms / 10 % 10);
  rfc3339_[kMilliseconds + 2] = static_cast<char>('0' + ms % 10);
  return {rfc3339_, kMilliseconds + 4};
}

std::string_view WallClockText::common(Instant when) {
  render(when);
  return {common_, common_size_};
}

}  // namespace weir
