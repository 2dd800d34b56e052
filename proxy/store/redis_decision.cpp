#include "store/redis_decision.h"

#include <algorithm>
#include <charconv>

#include "store/redis_limits.h"

namespace weir::store {

namespace {

/// Removes the first number from a text of numbers; false when the text starts with no number.
template <class T>
bool take_number(std::string_view& text, T& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  if (text.starts_with(' ')) text.remove_prefix(1);
  return true;
}

}  // namespace

Duration duration_of(int64_t microseconds, Duration most) {
  constexpr int64_t kNanoseconds = 1000;  // per microsecond
  return Duration(std::clamp<int64_t>(microseconds, 0, most.count() / kNanoseconds) * kNanoseconds);
}

/// A burst takes a century at most (Limit), one more request another; a sliding window counts for two periods.
Duration longest_wait(const Limit& limit) {
  if (limit.algorithm != Limit::Algorithm::gcra) return 2 * std::min(limit.per, kCentury);
  const auto interval = std::min(limit.per, kCentury) / static_cast<int64_t>(limit.count) + Duration(1);
  const auto times =
      std::min<uint64_t>(std::max(limit.burst, limit.largest_burst), static_cast<uint64_t>(kCentury / interval)) + 1;
  return interval * static_cast<int64_t>(times);
}

std::optional<Decision> read_decision(Arena& arena, std::span<const Take> quotas, std::string_view text) {
  Decision decision{.quotas = arena.make_list<Quota>(quotas.size())};
  for (size_t i = 0; i < quotas.size(); ++i) {
    const Take& take = quotas[i];
    Quota& quota = decision.quotas[i];
    int allowed = 0;
    int64_t retry = 0;
    int64_t reset = 0;
    const bool is_whole = take_number(text, allowed) && take_number(text, quota.remaining) &&
                          take_number(text, retry) && take_number(text, reset);
    if (!is_whole || allowed < 0 || allowed > 3) return std::nullopt;
    quota.most = most_of(take.limit);
    quota.remaining = std::min(quota.remaining, quota.most);
    quota.is_beyond = take.cost > quota.most;
    quota.allowed = allowed != 0 && !quota.is_beyond;
    quota.is_new = allowed >= 2;
    quota.is_left_out = allowed == 3 && quota.allowed;
    decision.is_partial |= quota.is_left_out;
    const Duration most = longest_wait(take.limit);
    quota.retry_after = duration_of(retry, most);
    quota.reset_after = duration_of(reset, most);
    decision.allowed &= quota.allowed;
  }
  if (!text.empty()) return std::nullopt;
  return decision;
}

}  // namespace weir::store
