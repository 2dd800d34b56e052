#include "store/redis_limits.h"

#include <algorithm>
#include <cstdint>

#include "store/redis_command.h"

namespace weir::store {

namespace {

std::string terms_of(const Limit& limit) {
  BlockPool blocks(4096);
  Arena arena(blocks);
  CommandWriter terms(arena, 4, 5 + 3 * CommandWriter::kLongestNumber);
  const auto per = static_cast<uint64_t>(limit.per.count());
  if (limit.algorithm == Limit::Algorithm::gcra) {
    constexpr unsigned __int128 kTicks = 16;  // in a microsecond
    const auto interval = std::max<uint64_t>(static_cast<uint64_t>(per * kTicks / 1000 / limit.count), 1);
    terms.word("gcra");
    terms.number(interval);
    terms.number(interval * limit.burst);
  } else {
    terms.word(limit.algorithm == Limit::Algorithm::sliding_window ? "slide" : "fixed");
    terms.number(limit.count);
    terms.number(std::max<uint64_t>(per / 1000, 1));
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
