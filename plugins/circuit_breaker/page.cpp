#include <fmt/chrono.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "exchange/exchange.h"
#include "http/query.h"
#include "plugins/circuit_breaker/circuit_breaker.h"

namespace weir::plugins {

namespace {

using Json = nlohmann::ordered_json;
constexpr std::string_view kPath = "/circuit_breakers";

/// Rounded up: what isn't over yet is not 0.
int64_t milliseconds(Duration duration) { return std::chrono::ceil<std::chrono::milliseconds>(duration).count(); }

/// RFC 3339, of a moment on the monotonic clock; null when it was there from the start.
Json wall_time(Time time, const Clock& clock) {
  if (time == Time::min()) return nullptr;
  const auto passed = std::chrono::duration_cast<std::chrono::system_clock::duration>(clock.now() - time);
  return fmt::format("{:%FT%TZ}", std::chrono::floor<std::chrono::seconds>(clock.wall() - passed));
}

Json to_json(const Circuit& circuit, const Clock& clock) {
  const auto status = circuit.breaker().status(clock.now());
  return {
      {"name", circuit.name()},
      {"state", name_of(status.state)},
      {"forced", is_forced(status.state)},
      {"since", wall_time(status.since, clock)},
      {"cause", status.cause},
      {"window_ms", milliseconds(circuit.settings().window)},
      {"attempts", status.counts.all},
      {"failed", status.counts.failed},
      {"slow", status.counts.slow},
      {"probes", status.probes},
      {"rejected", circuit.rejected().value()},
      {"refuses_for_ms", milliseconds(status.refuses_for)},
  };
}

std::string text_of(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

void respond(Exchange& exchange, const Json& json) {
  exchange.respond(200, "application/json", exchange.arena().copy(text_of(json)));
  exchange.response.head.headers.add("cache-control", "no-store");
}

void refuse_method(Exchange& exchange, std::string_view allowed) {
  exchange.fail({ErrorCode::method_not_allowed, Side::client, "this path takes another method"});
  exchange.response.head.headers.add("allow", allowed);
}

std::optional<Breaker::State> state_of(std::string_view verb) {
  if (verb == "open") return Breaker::State::forced_open;
  if (verb == "close") return Breaker::State::forced_closed;
  if (verb == "auto") return Breaker::State::closed;
  return std::nullopt;
}

class Page final : public Origin {
 public:
  explicit Page(std::shared_ptr<BreakerList> breakers) : breakers_(std::move(breakers)) {}

  Task<> handle(Exchange& exchange) const override {
    const auto method = exchange.request.method;
    if (exchange.request.path == kPath) {
      refuse_method(exchange, "GET, HEAD");
    } else if (method != http::Method::post) {
      refuse_method(exchange, "POST");
    } else {
      force(exchange);
    }
    co_return;
  }

 private:
  /// /circuit_breakers/NAME/VERB; a name may have slashes and, escaped, anything.
  void force(Exchange& exchange) const {
    const auto rest = exchange.request.path.substr(kPath.size() + 1);
    const auto slash = rest.rfind('/');
    const auto name = http::decode_parameter(rest.substr(0, slash), exchange.arena());
    const auto circuit = breakers_->find(std::string(name));
    const auto state = slash == std::string_view::npos ? std::nullopt : state_of(rest.substr(slash + 1));
    if (!circuit || !state) {
      return exchange.fail({ErrorCode::no_route, Side::client,
                            circuit ? "write /open, /close or /auto" : "GET /circuit_breakers lists the names"});
    }
    circuit->breaker().force(*state, exchange.loop().now());
    respond(exchange, to_json(*circuit, exchange.loop().clock()));
  }

  std::shared_ptr<BreakerList> breakers_;
};

std::string list(const BreakerList& breakers, const Clock& clock) {
  Json all = Json::array();
  for (const auto& circuit : breakers.all()) all.push_back(to_json(*circuit, clock));
  return text_of({{"circuit_breakers", std::move(all)}});
}

}  // namespace

AdminPage circuit_breakers_page(StateSlots& slots) {
  auto breakers = slots.find<BreakerList>("circuit_breakers", {});
  return {std::string(kPath),
          "GET  /circuit_breakers                         states, causes and counts\n"
          "POST /circuit_breakers/NAME/open|close|auto    forces a state, or gives it back\n",
          std::make_shared<Page>(breakers), [breakers](const Clock& clock) { return list(*breakers, clock); }};
}

}  // namespace weir::plugins
