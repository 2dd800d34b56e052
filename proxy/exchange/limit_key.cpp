#include "exchange/limit_key.h"

#include "base/hash.h"
#include "exchange/client_networks.h"

namespace weir {

std::string_view LimitKey::of(Exchange& exchange) const {
  auto& arena = exchange.arena();
  const auto [encoded, values] = expression_.encode(exchange, KeyExpression::Empty::absent);
  const bool is_whole = values == KeyExpression::Values::all;
  const auto text = is_whole ? encoded : arena.concat({encoded, "|client=", network_of(exchange.client.ip, arena)});
  if (text.size() <= kLongest) return text;
  const uint64_t print[] = {hash(text), hash(text, 1)};
  char digits[32];
  for (size_t i = 0; i < sizeof digits; ++i) digits[i] = "0123456789abcdef"[print[i / 16] >> (i % 16 * 4) & 15];
  return arena.concat({"#", text.substr(0, kLongest - 1 - sizeof digits), {digits, sizeof digits}});
}

void warn_behind_cache(const config::Location& at, FilterContext& context) {
  if (!context.is_behind("cache")) return;
  context.problems.warn(at, "a limit with a key stands behind a cache: it counts only the client whose request fills",
                        "put it before the cache to count every request");
}

}  // namespace weir
