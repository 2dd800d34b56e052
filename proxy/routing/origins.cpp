#include "routing/origins.h"

#include "exchange/exchange.h"
#include "routing/rewrite.h"

namespace weir::routing {

Task<> RedirectOrigin::handle(Exchange& exchange) const {
  const auto location = settings_.to.expand(exchange.request, exchange.arena());
  if (!location) co_return exchange.fail(location.error());
  exchange.respond(settings_.status);
  exchange.response.head.headers.add("location", *location);
}

Task<> RespondOrigin::handle(Exchange& exchange) const {
  const std::string_view type = settings_.body.empty() ? std::string_view() : settings_.content_type;
  exchange.respond(settings_.status, type, settings_.body);
  for (const auto& field : settings_.headers) exchange.response.head.headers.set(field.name, field.value);
  co_return;
}

std::shared_ptr<const Origin> make_origin(const RouteSettings& route, std::shared_ptr<const Origin> forward) {
  if (route.redirect) return std::make_shared<const RedirectOrigin>(*route.redirect);
  if (route.respond) return std::make_shared<const RespondOrigin>(*route.respond);
  if (!route.rewrite) return forward;
  return std::make_shared<const Rewritten>(Rewrite(*route.rewrite, route.match.path), std::move(forward));
}

}  // namespace weir::routing
