#include "base/units.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "base/text.h"

namespace weir {

namespace {

struct Unit {
  std::string_view name;
  double size;
};

// Largest first: formatting takes the first that divides exactly.
constexpr std::array kDurations{Unit{"d", 86400e9}, Unit{"h", 3600e9}, Unit{"m", 60e9}, Unit{"s", 1e9},
                                Unit{"ms", 1e6},    Unit{"us", 1e3},   Unit{"ns", 1}};
constexpr std::array kSizes{Unit{"TiB", 1099511627776.0},
                            Unit{"GiB", 1073741824.0},
                            Unit{"MiB", 1048576.0},
                            Unit{"KiB", 1024.0},
                            Unit{"B", 1},
                            Unit{"T", 1099511627776.0},
                            Unit{"G", 1073741824.0},
                            Unit{"M", 1048576.0},
                            Unit{"K", 1024.0},
                            Unit{"TB", 1e12},
                            Unit{"GB", 1e9},
                            Unit{"MB", 1e6},
                            Unit{"KB", 1e3},
                            Unit{"", 1}};
constexpr std::array kPeriods{Unit{"day", 86400e9}, Unit{"hour", 3600e9}, Unit{"minute", 60e9}, Unit{"second", 1e9},
                              Unit{"d", 86400e9},   Unit{"h", 3600e9},    Unit{"m", 60e9},      Unit{"s", 1e9}};
constexpr size_t kDurationNames = kDurations.size() - 1;  // ns only below a microsecond
constexpr size_t kSizeNames = 5;

/// The decimal number at the start of `text`, which is left with what follows it.
std::optional<double> take_number(std::string_view& text) {
  double value = 0;
  if (text.empty() || text.front() < '0' || text.front() > '9') return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc() || !std::isfinite(value)) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return value;
}

template <size_t N>
std::optional<double> size_of(const std::array<Unit, N>& units, std::string_view name) {
  for (const auto& unit : units) {
    if (unit.name == name) return unit.size;
  }
  return std::nullopt;
}

constexpr double kLimit = 9.2e18;  // of a count, which must fit into 63 bits

std::string shortest(double value) {
  std::array<char, 330> digits;  // the largest double has 309
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, std::chars_format::fixed).ptr;
  return {digits.data(), end};
}

template <size_t N>
std::string format_amount(uint64_t count, const std::array<Unit, N>& units, size_t names) {
  for (size_t i = 0; i < names; ++i) {
    const auto size = static_cast<uint64_t>(units[i].size);
    if (count >= size && count % size == 0) return std::to_string(count / size) + std::string(units[i].name);
  }
  return std::to_string(count) + std::string(units[names].name);
}

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
  if (text == "0") return Duration::zero();
  double count = 0;
  double unit_before = kLimit;
  do {
    const auto number = take_number(text);
    const auto name = text.substr(0, text.find_first_of("0123456789"));
    const auto unit = size_of(kDurations, name);
    if (!number || !unit || *unit >= unit_before) return std::nullopt;
    count += *number * *unit;
    if (count >= kLimit) return std::nullopt;
    unit_before = *unit;
    text.remove_prefix(name.size());
  } while (!text.empty());
  return Duration(static_cast<int64_t>(std::round(count)));
}

std::optional<Bytes> parse_bytes(std::string_view text) {
  const auto number = take_number(text);
  const auto* const unit =
      std::ranges::find_if(kSizes, [&](const Unit& one) { return equals_ignoring_case(one.name, text); });
  if (!number || unit == kSizes.end() || *number * unit->size >= kLimit) return std::nullopt;
  return Bytes{static_cast<uint64_t>(std::round(*number * unit->size))};
}

std::optional<Rate> parse_rate(std::string_view text) {
  const auto count = take_number(text);
  if (!count || *count <= 0 || !text.starts_with('/')) return std::nullopt;
  const auto per = size_of(kPeriods, text.substr(1));
  if (!per) return std::nullopt;
  return Rate{*count, Duration(static_cast<int64_t>(*per))};
}

std::optional<Ratio> parse_ratio(std::string_view text) {
  const auto number = take_number(text);
  if (!number || (!text.empty() && text != "%")) return std::nullopt;
  const double value = text.empty() ? *number : *number / 100;
  if (value > 1) return std::nullopt;
  return Ratio{value};
}

std::string format(Duration value) {
  if (value < Duration::zero()) return "-" + format(-value);
  if (value == Duration::zero()) return "0s";
  return format_amount(static_cast<uint64_t>(value.count()), kDurations, kDurationNames);
}

std::string format(Bytes value) { return format_amount(value.count, kSizes, kSizeNames - 1); }

std::string format(Rate value) {
  for (const auto& period : kPeriods) {
    if (static_cast<double>(value.per.count()) == period.size) {
      return shortest(value.count) + "/" + std::string(period.name);
    }
  }
  return shortest(value.per_second()) + "/second";
}

std::string format(Ratio value) { return shortest(std::round(value.value * 1e10) / 1e8) + "%"; }

}  // namespace weir
