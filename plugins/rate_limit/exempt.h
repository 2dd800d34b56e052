#pragma once

#include "exchange/client_networks.h"
#include "plugins/rate_limit/quotas.h"

namespace weir::plugins {

/// Who passes uncounted.
class Exempt {
 public:
  explicit Exempt(const ExemptSettings& settings);
  bool has(Exchange& exchange, std::span<const RateQuota> quotas) const;

 private:
  struct Condition {
    KeyExpression key;
    std::vector<std::string> values;
  };
  ClientNetworks clients_;
  std::vector<std::string> keys_;
  std::vector<Condition> when_;
};

}  // namespace weir::plugins
