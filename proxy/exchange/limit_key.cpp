#include "exchange/limit_key.h"

#include "base/hash.h"
#include "exchange/client_networks.h"

namespace weir {

std::string_view LimitKey::of(Exchange& exchange) const {
  auto& arena = exchange.arena();
  const auto value = expression_.evaluate(exchange);
  if (value.empty()) return arena.concat({"-|", network_of(exchange.client.ip, arena)});
  if (value.size() <= kLongest) return value;
  const uint64_t print[] = {hash(value), hash(value, 1)};
  char digits[32];
  for (size_t i = 0; i < sizeof digits; ++i) digits[i] = "0123456789abcdef"[print[i / 16] >> (i % 16 * 4) & 15];
  return arena.concat({value.substr(0, kLongest - sizeof digits), {digits, sizeof digits}});
}

}  // namespace weir
