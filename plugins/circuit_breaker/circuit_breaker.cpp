#include "plugins/circuit_breaker/circuit_breaker.h"

#include "exchange/exchange.h"
#include "plugins/circuit_breaker/peers.h"

namespace weir::plugins {

namespace {

/// `name` is for people; `identity` is what the circuit is, also when a reload moves or renames it.
std::shared_ptr<Gate> make_gate(const BreakerSettings& settings, GateContext context, const std::string& identity,
                                std::string name, FilterMetrics::Labels labels) {
  Circuit::Shared shared{.breaker = context.slots.find<Breaker>(identity, {identity}),
                         .list = context.slots.find<BreakerList>("circuit_breakers", {})};
  if (settings.shared && context.announcer)
    shared.peers = context.slots.find<Peers>(identity, {context.announcer, shared.breaker});
  return std::make_shared<BreakerGate>(
      Circuit::make(settings, std::move(name), std::move(labels), context.metrics, std::move(shared)));
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
  auto ticket = breaker().admit(*circuit_, now);
  if (!ticket) return std::unexpected(ticket.error());
  return Permit(*this, *ticket, breaker().is_probing());
}

bool BreakerGate::settle(uint64_t ticket, const Finish& finish) {
  return breaker().settle(*circuit_, ticket, judge(circuit_->settings(), finish), finish.now);
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
        const auto& identity = settings.name.empty() ? context.identity() : settings.name;
        return std::make_shared<const CircuitBreaker>(
            make_gate(settings.breaker, {context.slots, context.metrics, context.announcer}, route_circuit(identity),
                      route_circuit(name), {{"route", name}}));
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
          const auto name = endpoint.empty() ? upstream_circuit(upstream) : endpoint_circuit(upstream, endpoint);
          FilterMetrics::Labels labels{{"upstream", upstream}};
          if (!endpoint.empty()) labels.emplace_back("endpoint", endpoint);
          return make_gate(settings.breaker, context, name, name, std::move(labels));
        };
      });
}

}  // namespace weir::plugins
