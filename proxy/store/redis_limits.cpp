#include "store/redis_limits.h"

#include <algorithm>
#include <cstdint>

#include "store/redis_command.h"

namespace weir::store {

namespace {

/// Of a window, in scripts/take.lua.
std::string_view word_of(Limit::Algorithm algorithm) {
  if (algorithm == Limit::Algorithm::sliding_log) return "log";
  return algorithm == Limit::Algorithm::sliding_window ? "slide" : "fixed";
}

std::string terms_of(const Limit& limit) {
  BlockPool blocks(4096);
  Arena arena(blocks);
  CommandWriter terms(arena, 5, 5 + 4 * CommandWriter::kLongestNumber);
  const auto per = static_cast<uint64_t>(limit.per.count());
  if (limit.algorithm == Limit::Algorithm::gcra) {
    constexpr unsigned __int128 kTicks = 16;  // in a microsecond
    const auto interval = std::max<uint64_t>(static_cast<uint64_t>(per * kTicks / 1000 / limit.count), 1);
    terms.word("gcra");
    terms.number(interval);
    terms.number(interval * limit.burst);
    terms.number(interval * std::max(limit.burst, limit.largest_burst));
  } else {
    terms.word(word_of(limit.algorithm));
    terms.number(limit.count);
    terms.number(std::max<uint64_t>(per / 1000, 1));
    terms.number(0);
  }
  terms.number(most_of(limit));
  return std::string(terms.text());
}

}  // namespace

uint64_t most_of(const Limit& limit) { return limit.algorithm == Limit::Algorithm::gcra ? limit.burst : limit.count; }

RedisLimit::RedisLimit(std::string_view prefix, const Limit& limit)
    : name(limit.name),
      slot(limit.slot),
      limit(limit),
      keys(prefix, limit),
      terms(terms_of(limit)),
      most(most_of(limit)) {
  this->limit.name = name;
  this->limit.slot = slot;
}

const RedisLimit& RedisLimits::of(const Limit& limit) {
  const auto address = reinterpret_cast<uintptr_t>(&limit);
  auto& kept = kept_[(address / alignof(Limit) ^ address >> 12) % kept_.size()];
  if (!kept || kept->limit != limit) kept = std::make_unique<RedisLimit>(prefix_, limit);
  return *kept;
}

}  // namespace weir::store
