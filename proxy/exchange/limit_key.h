#pragma once

#include "exchange/filter_context.h"
#include "exchange/key_expression.h"

namespace weir {

/// By what a limit counts: a key expression whose clients count by their networks. A request that lacks a value counts
/// by its client, too, so that nobody escapes by leaving a field out and nobody shares a quota with strangers; an empty
/// value is none. Tells the kind of what it counts: no value that a client sends is another kind's key. Bounded: a long
/// key is cut, and told apart by its hash.
class LimitKey {
 public:
  explicit LimitKey(const KeyExpression& expression) : expression_(expression.by_network()) {}
  std::string_view of(Exchange& exchange) const;
  /// The value as people write it; "" when the request lacks a part.
  std::string_view value(Exchange& exchange) const { return expression_.evaluate(exchange); }

  static constexpr size_t kLongest = 256;

 private:
  KeyExpression expression_;
};

/// A warning if the limit at `at` counts by client and stands behind a cache, which asks the upstream once for many.
void warn_behind_cache(const config::Location& at, FilterContext& context);

}  // namespace weir
