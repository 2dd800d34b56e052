#include "plugins/circuit_breaker/circuit_breaker.h"

#include "exchange/exchange.h"

namespace weir::plugins {

namespace {

std::shared_ptr<Gate> make_gate(const BreakerSettings& settings, GateContext context, std::string name,
                                FilterMetrics::Labels labels) {
  auto* announcer = settings.shared ? context.announcer : nullptr;
  auto breaker =
      context.slots.find<Breaker>(name, {name, std::move(labels), settings.window, &context.metrics, announcer});
  auto list = context.slots.find<BreakerList>("circuit_breakers", {});
  list->add(breaker);
  return std::make_shared<BreakerGate>(settings, std::move(breaker), std::move(list));
}

/// What came of the rest of the chain, as seen from above it.
Finish finish_of(const Exchange& exchange, Time started, Time now) {
  Finish finish{Outcome::answered, exchange.response.head.status, now - started, now};
  if (exchange.failure) {
    finish.outcome = exchange.failure->side == Side::upstream ? Outcome::broken : Outcome::abandoned;
  }
  return finish;
}

}  // namespace

Result<Gate::Permit> BreakerGate::admit(Time now) {
  auto ticket = breaker_->admit(settings_, now);
  if (!ticket) return std::unexpected(ticket.error());
  return Permit(*this, *ticket, breaker_->is_probing());
}

bool BreakerGate::settle(uint64_t ticket, const Finish& finish) {
  return breaker_->settle(settings_, ticket, judge(settings_, finish), finish.now);
}

Task<> CircuitBreaker::handle(Exchange& exchange, Next next) const {
  const Time started = exchange.loop().now();
  auto permit = gate_->admit(started);
  if (!permit) co_return fail_for(exchange, permit.error(), gate_->refuses_for(started));
  co_await next(exchange);
  permit->report(finish_of(exchange, started, exchange.loop().now()));
}

config::Tag<FilterFactory> circuit_breaker_filter() {
  return filter_tag<RouteBreakerSettings>(
      "circuit_breaker", "refuses for a while what would fail anyway",
      [](const RouteBreakerSettings& settings, const config::Location&, FilterContext& context) {
        const auto& name = settings.name.empty() ? context.route : settings.name;
        return std::make_shared<const CircuitBreaker>(make_gate(
            settings.breaker, {context.slots, context.metrics, context.announcer}, "route/" + name, {{"route", name}}));
      });
}

config::Tag<GateFactory> circuit_breaker_gate() {
  return config::tag<UpstreamBreakerSettings, GateFactory>(
      "circuit_breaker", "sends nothing for a while where too much fails",
      [](UpstreamBreakerSettings settings, const config::Location&) -> GateFactory {
        return [settings = std::move(settings)](GateContext context, const std::string& upstream,
                                                const std::string& endpoint) -> std::shared_ptr<Gate> {
          using Scope = UpstreamBreakerSettings::Scope;
          if (!settings.covers(endpoint.empty() ? Scope::upstream : Scope::endpoint)) return nullptr;
          if (endpoint.empty()) return make_gate(settings.breaker, context, upstream, {{"upstream", upstream}});
          return make_gate(settings.breaker, context, upstream + "/" + endpoint,
                           {{"upstream", upstream}, {"endpoint", endpoint}});
        };
      });
}

}  // namespace weir::plugins
