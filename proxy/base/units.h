#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir {

using Duration = std::chrono::nanoseconds;
using Time = std::chrono::steady_clock::time_point;

/// An amount of memory or traffic.
struct Bytes {
  uint64_t count = 0;
  auto operator<=>(const Bytes&) const = default;
};

/// So many in so long: 100/minute.
struct Rate {
  double count = 0;
  Duration per = std::chrono::seconds(1);
  double per_second() const { return count / std::chrono::duration<double>(per).count(); }
  bool operator==(const Rate&) const = default;
};

/// A share of a whole, 0 to 1.
struct Ratio {
  double value = 0;
  auto operator<=>(const Ratio&) const = default;
};

// How an engineer writes them. All of the text must fit; nothing otherwise (unknown unit, sign, overflow).
std::optional<Duration> parse_duration(std::string_view text);  // 250us 250ms 1.5s 1m30s 1h 1d, and a bare 0
/// 512, 512B, 64KiB or 64K, 10MiB or 10M, 1GiB or 1G; KB MB GB are powers of ten. In any case of letters.
std::optional<Bytes> parse_bytes(std::string_view text);
std::optional<Rate> parse_rate(std::string_view text);    // 100/second|minute|hour|day, s|m|h|d too; count above 0
std::optional<Ratio> parse_ratio(std::string_view text);  // 50% or 0.5, within 0 and 1

// And back, in the largest unit that is exact: 2s, 1500ms, 64KiB, 100/minute, 50%.
std::string format(Duration value);
std::string format(Bytes value);
std::string format(Rate value);
std::string format(Ratio value);

// What to tell who wrote it wrong.
inline constexpr std::string_view kDurationHint = "write a number and a unit: 250ms, 2s, 5m, 1h";
inline constexpr std::string_view kBytesHint = "write a number and a unit: 512B, 64KiB, 10MiB, 1GiB";
inline constexpr std::string_view kRateHint = "write a count and a unit: 100/second, 100/minute, 100/hour";
inline constexpr std::string_view kRatioHint = "write a percentage or a fraction: 50%, 0.5";

}  // namespace weir
