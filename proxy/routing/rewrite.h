#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "exchange/exchange.h"
#include "routing/config.h"

namespace weir::routing {

/// What the upstream is told instead of the request's own path and host. Immutable.
class Rewrite {
 public:
  using Groups = std::array<std::string_view, Regex::kMostGroups + 1>;

  /// `matched` is the path pattern that led to the route; its prefix is what `prefix` stands in for.
  Rewrite(const RewriteSettings& settings, PathPattern matched);

  struct Target {
    std::string_view path;
    std::string_view query;
    bool has_query = false;
    std::string_view decoded_path{};  // by which the route matched; "" = by `path`
  };
  /// The new path (in the arena, or the old one itself): absolute, without CTL, space, '?' and '#', and not normalised
  /// again. The rest of the path, and what groups match, stays as it is sent; it is decoded where the route's prefix or
  /// the expression applies to the decoded path alone, and where dot segments would lead out of the new path. A query
  /// in `to` comes before the request's own, and a '?' at the end of `to` drops the request's own. internal when the
  /// expression made no path.
  Result<Target> apply(const Target& old, Arena& arena) const;
  const std::optional<std::string>& host() const { return host_; }

 private:
  std::string_view with_prefix(const Target& old, Arena& arena) const;
  Target substituted(const Target& old, Arena& arena) const;
  bool match(const Target& old, Groups& groups, Arena& arena) const;

  PathPattern matched_;
  std::optional<std::string> prefix_;
  std::optional<Regex> regex_;
  std::string to_;
  std::optional<std::string> to_query_;
  std::optional<std::string> host_;
};

/// Rewrites just before the origin, so that filters see the request that was routed, before and after.
class Rewritten : public Origin {
 public:
  Rewritten(Rewrite rewrite, std::shared_ptr<const Origin> origin)
      : rewrite_(std::move(rewrite)), origin_(std::move(origin)) {}
  Task<> handle(Exchange& exchange) const override;

 private:
  Rewrite rewrite_;
  std::shared_ptr<const Origin> origin_;  // all routes to upstreams share it
};

}  // namespace weir::routing
