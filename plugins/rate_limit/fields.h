#pragma once

#include <string>
#include <vector>

#include "exchange/exchange.h"
#include "plugins/rate_limit/quotas.h"

namespace weir::plugins {

/// What a response tells of its client's quotas: RateLimit and RateLimit-Policy
/// (draft-ietf-httpapi-ratelimit-headers-10), X-RateLimit-*, and Retry-After of a refusal. What an upstream tells of
/// quotas of its own stays; X-RateLimit-*, which can tell of one alone, tells of the one with less left.
class QuotaFields {
 public:
  QuotaFields(std::span<const RateQuota> quotas, QuotaFieldSet which);

  void add(Exchange& exchange, std::span<const RateQuota> quotas, const store::Decision& decision) const;
  /// On a refusal: whole seconds, rounded up, until all quotas would give what was asked.
  static void add_retry_after(Exchange& exchange, std::span<const RateQuota> quotas, const store::Decision& decision);

 private:
  QuotaFieldSet which_;
  std::string policies_;  // the value of RateLimit-Policy
};

}  // namespace weir::plugins
