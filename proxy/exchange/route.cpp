#include "exchange/route.h"

#include <charconv>

#include "exchange/exchange.h"

namespace weir {

Error too_large(Exchange& exchange, const Route& route) {
  char digits[20];
  const auto end = std::to_chars(digits, std::end(digits), route.max_body).ptr;
  const std::string_view most(digits, static_cast<size_t>(end - digits));
  return {ErrorCode::body_too_large, Side::client,
          exchange.arena().concat({"the request body has more than the ", most, " bytes that the route takes"}),
          RetrySafe::no, route.max_body_by};
}

}  // namespace weir
