#pragma once

#include <memory>

#include "exchange/filter.h"
#include "routing/config.h"

namespace weir::routing {

/// Sends the client elsewhere.
class RedirectOrigin : public Origin {
 public:
  explicit RedirectOrigin(RedirectSettings settings) : settings_(std::move(settings)) {}
  Task<> handle(Exchange& exchange) const override;

 private:
  RedirectSettings settings_;
};

/// Answers with what the configuration says.
class RespondOrigin : public Origin {
 public:
  explicit RespondOrigin(RespondSettings settings) : settings_(std::move(settings)) {}
  Task<> handle(Exchange& exchange) const override;

 private:
  RespondSettings settings_;
};

/// What a route's chain ends in: its redirect, its answer, or `forward` (which goes where `exchange.destination`
/// says), behind its rewrite if it has one.
std::shared_ptr<const Origin> make_origin(const RouteSettings& route, std::shared_ptr<const Origin> forward);

}  // namespace weir::routing
