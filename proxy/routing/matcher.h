#pragma once

#include <optional>
#include <string>
#include <vector>

#include "exchange/exchange.h"
#include "routing/config.h"
#include "routing/regex.h"

namespace weir::routing {

/// The conditions of one route, compiled. Immutable, shared by all workers.
class Matcher {
 public:
  /// The settings were decoded without a Problem.
  explicit Matcher(const MatchSettings& settings);

  /// All but host and path, which the router's indexes have looked at already.
  bool accepts(Exchange& exchange) const;
  /// The first condition that doesn't hold, as a sentence for people: "path: wants prefix /v1, got /v2". "" when all
  /// hold. Looks at host and path too, each by itself: slow and plain.
  std::string mismatch(Exchange& exchange) const;

 private:
  struct Field {
    std::string name;
    FieldPattern pattern;
    std::optional<Regex> regex;

    bool accepts(std::string_view value) const;
  };
  static std::vector<Field> compile(const std::vector<config::Named<FieldPattern>>& fields);
  static bool has_header(const Field& field, const http::Headers& headers);
  static bool has_parameter(const Field& field, Exchange& exchange);

  bool accepts_method(const Exchange& exchange) const;
  bool accepts_listener(const Exchange& exchange) const;
  bool accepts_host(const RequestHost& host) const;
  bool accepts_path(std::string_view path) const;

  MatchSettings settings_;
  std::vector<Field> headers_;
  std::vector<Field> query_;
};

}  // namespace weir::routing
