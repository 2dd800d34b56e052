#pragma once

#include "exchange/key_expression.h"

namespace weir {

/// By what a limit counts: a key expression whose clients count by their networks. A request without a value counts by
/// its client, so that nobody escapes by leaving a field out. Bounded: a long value is cut, and told apart by its hash.
class LimitKey {
 public:
  explicit LimitKey(const KeyExpression& expression) : expression_(expression.by_network()) {}
  std::string_view of(Exchange& exchange) const;

  static constexpr size_t kLongest = 256;

 private:
  KeyExpression expression_;
};

}  // namespace weir
