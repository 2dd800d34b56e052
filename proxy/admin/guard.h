#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/paced.h"
#include "exchange/exchange.h"
#include "exchange/filter_metrics.h"

namespace weir::admin {

/// Who may use the admin API, as the configuration says. Immutable, shared by workers.
struct Access {
  enum class Allows : uint8_t { everything, reading };

  std::vector<std::string> hosts;  // that Host may name, beside IP addresses and localhost
  std::string token;               // "" = none is asked for
  Allows allows = Allows::everything;
};

/// Answers requests that were not meant for the admin API. A web page can make a browser send requests to an address
/// that only the browser reaches; Host (DNS rebinding), Origin and Sec-Fetch-Site give such requests away. One
/// worker's.
class Guard {
 public:
  /// /metrics needs no token on an address that serves nothing else.
  enum class Token : uint8_t { asked_for, not_asked_for };

  explicit Guard(FilterMetrics& metrics, Token token = Token::asked_for);
  /// For requests from now on.
  void use(std::shared_ptr<const Access> access) { access_ = std::move(access); }
  /// False: the exchange was answered, the refusal counted and logged.
  bool admits(Exchange& exchange) const;

 private:
  enum class Reason : uint8_t { host, origin, site, token, read_only, content_type };
  static constexpr size_t kReasons = 6;
  struct Refusal {
    Reason reason;
    Error error;
  };
  std::optional<Refusal> refusal_of(const http::RequestHead& request) const;
  bool is_known(std::string_view host) const;
  bool has_token(const http::Headers& headers) const;

  Token token_;
  std::shared_ptr<const Access> access_ = std::make_shared<const Access>();
  std::array<SharedCount*, kReasons> refused_;
  mutable Paced lines_;
};

}  // namespace weir::admin
