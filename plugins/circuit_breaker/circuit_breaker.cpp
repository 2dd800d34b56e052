#include "plugins/circuit_breaker/circuit_breaker.h"

#include <map>
#include <mutex>

#include "exchange/exchange.h"
#include "exchange/route.h"
#include "plugins/circuit_breaker/peers.h"
#include "plugins/circuit_breaker/watched_body.h"

namespace weir::plugins {

namespace {

/// Which endpoints of an upstream have metrics of their own: so many at a time, those that came first. A slot of the
/// process: any thread.
class EndpointLabels {
 public:
  struct Settings {};
  static bool compatible(const Settings&, const Settings&) { return true; }
  explicit EndpointLabels(const Settings&) {}

  /// Has the label until its end.
  class Holder {
   public:
    Holder(std::shared_ptr<EndpointLabels> labels, const std::string& endpoint)
        : labels_(std::move(labels)), endpoint_(endpoint), label_(labels_->take(endpoint)) {}
    Holder(const Holder&) = delete;
    Holder& operator=(const Holder&) = delete;
    ~Holder() {
      if (label_ == endpoint_) labels_->give_back(endpoint_);
    }
    const std::string& label() const { return label_; }

   private:
    const std::shared_ptr<EndpointLabels> labels_;
    const std::string endpoint_;
    const std::string label_;
  };

 private:
  static constexpr size_t kMost = 200;

  std::string take(const std::string& endpoint) {
    const std::lock_guard lock(mutex_);
    const auto named = holders_.find(endpoint);
    if (named == holders_.end() && holders_.size() >= kMost) return std::string(kOtherEndpoints);
    ++holders_[endpoint];
    return endpoint;
  }
  void give_back(const std::string& endpoint) {
    const std::lock_guard lock(mutex_);
    const auto named = holders_.find(endpoint);
    if (--named->second == 0) holders_.erase(named);
  }

  std::mutex mutex_;
  std::map<std::string, size_t> holders_;  // of each label
};

/// `name` is for people; `identity` is what the circuit is, also when a reload moves or renames it. `kept`: what else
/// lives as long as the gate.
std::shared_ptr<Gate> make_gate(const BreakerSettings& settings, GateContext context, const std::string& identity,
                                std::string name, FilterMetrics::Labels labels,
                                std::shared_ptr<const void> kept = nullptr) {
  Circuit::Shared shared{.breaker = context.slots.find<Breaker>(identity, {identity}),
                         .list = context.slots.find<BreakerList>("circuit_breakers", {})};
  if (settings.shared && context.announcer)
    shared.peers = context.slots.find<Peers>(identity, {context.announcer, shared.breaker});
  return std::make_shared<BreakerGate>(
      Circuit::make(settings, std::move(name), std::move(labels), context.metrics, std::move(shared)), std::move(kept));
}

/// When the rest of the chain began, and which attempt was its first.
struct Begin {
  Time time;
  size_t attempts;
};

/// Whether a failure is the upstream's. A deadline of the client's, or what a queue left of the route's time, says
/// nothing about endpoints: of each attempt is known whether it had its time. Of a wait for the response to another
/// request only how long it took.
bool is_upstreams(const Exchange& exchange, const Begin& begin, Time now) {
  const Error& error = *exchange.failure;
  if (error.side != Side::upstream) return false;
  const auto& attempts = exchange.attempts;
  for (size_t i = begin.attempts; i < attempts.size(); ++i) {
    if (concerns_endpoint(attempts[i].outcome) && !attempts[i].is_clients_failure) return true;
  }
  if (attempts.size() > begin.attempts) return false;
  if (error.code != ErrorCode::response_timeout && error.code != ErrorCode::total_timeout) return true;
  const Duration whole = exchange.route ? exchange.route->timeout : Duration{};
  return whole > Duration{} && now - begin.time >= whole * 9 / 10;
}

/// What came of the rest of the chain, as seen from above it. How long clients took to send their bodies, or waited for
/// their turn, makes no response a slow one.
Finish finish_of(const Exchange& exchange, const Begin& begin, Time now) {
  Finish finish{Outcome::answered, exchange.response.head.status, now - begin.time, now};
  if (const Attempt* attempt = exchange.attempts.last_answered(begin.attempts)) {
    finish.took = attempt->answer_time();
    if (attempt->is_clients_failure && attempt->status == finish.status) finish.outcome = Outcome::abandoned;
  }
  if (exchange.failure) finish.outcome = is_upstreams(exchange, begin, now) ? Outcome::broken : Outcome::abandoned;
  return finish;
}

}  // namespace

Result<Gate::Permit> BreakerGate::admit(Time now, const Asker& asker) {
  auto ticket = breaker().admit(*circuit_, now, asker);
  if (!ticket) return std::unexpected(ticket.error());
  return Permit(*this, *ticket, breaker().is_probing());
}

bool BreakerGate::settle(uint64_t ticket, const Finish& finish) {
  return breaker().settle(*circuit_, ticket, judge(circuit_->settings(), finish), finish.now);
}

Task<> CircuitBreaker::handle(Exchange& exchange, Next next) const {
  const Begin begin{exchange.loop().now(), exchange.attempts.size()};
  auto permit = gate_->admit(begin.time, exchange);
  if (!permit) co_return fail_for(exchange, permit.error(), gate_->refuses_for(begin.time));
  co_await next(exchange);
  permit->report(finish_of(exchange, begin, exchange.loop().now()));
  auto& body = exchange.response.body;
  if (!permit->is_held() || exchange.failure || !body || body->size().kind == http::BodySize::Kind::none) co_return;
  body =
      make_in<WatchedBody>(exchange.arena(), exchange, std::move(*permit), begin.time, begin.attempts, std::move(body));
}

/// An attempt knows whether its endpoint broke the response off, or the client provoked that: it didn't read, kept its
/// body back, or had a WebSocket. Without an attempt it is the response to another request, and counts with that one. A
/// client that reads for longer than the whole may take has broken nothing.
bool WatchedBody::is_upstreams(const Error& error) const {
  if (error.side != Side::upstream || error.code == ErrorCode::total_timeout) return false;
  const Attempt* const attempt = exchange_.attempts.last_answered(attempts_);
  return attempt && concerns_endpoint(attempt->outcome);
}

Task<Result<Chunk>> WatchedBody::read() {
  auto chunk = co_await body_->read();
  const Time now = exchange_.loop().now();
  if (!chunk && is_upstreams(chunk.error())) permit_.report({Outcome::broken, status_, now - started_, now});
  co_return chunk;
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
          if (endpoint.empty()) {
            const auto name = upstream_circuit(upstream);
            return make_gate(settings.breaker, context, name, name, {{"upstream", upstream}});
          }
          const auto name = endpoint_circuit(upstream, endpoint);
          const auto holder = std::make_shared<const EndpointLabels::Holder>(
              context.slots.find<EndpointLabels>("circuit_breaker " + upstream, {}), endpoint);
          return make_gate(settings.breaker, context, name, name,
                           {{"upstream", upstream}, {"endpoint", holder->label()}}, holder);
        };
      });
}

}  // namespace weir::plugins
