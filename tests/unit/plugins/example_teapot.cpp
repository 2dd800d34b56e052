// The filter that plugins/README.md shows, built and tested as a reader would.
#include "exchange/exchange.h"
#include "exchange/filter_context.h"

namespace weir::plugins {

struct TeapotSettings {
  std::string message = "short and stout";
};
void decode(config::Reader& r, TeapotSettings& settings) {
  r.shorthand("message");
  r.optional("message", settings.message, "what it says of itself", config::non_empty);
}

/// Refuses to brew coffee (RFC 2324), and marks every other answer.
class Teapot : public Filter {
 public:
  explicit Teapot(std::string message) : message_(std::move(message)) {}

  Task<> handle(Exchange& exchange, Next next) const override {
    if (exchange.request.path == "/coffee") co_return exchange.respond(418, "text/plain", message_);
    co_await next(exchange);
    exchange.response.head.headers.set("x-teapot", message_);
  }

 private:
  std::string message_;
};

config::Tag<FilterFactory> teapot_filter() {
  return filter_tag<TeapotSettings>("teapot", "refuses to brew coffee",
                                    [](const TeapotSettings& settings, const config::Location&, FilterContext&) {
                                      return std::make_shared<const Teapot>(settings.message);
                                    });
}

}  // namespace weir::plugins

#include "unit/plugins/bench.h"

TEST_CASE("teapot: it doesn't brew coffee, and says so") {
  weir::plugins::FilterBench bench("filters: [teapot: tip me over]", {weir::plugins::teapot_filter()});
  bench.exchange.request.path = "/tea";
  CHECK(bench.run() == 200);
  CHECK(bench.response_field("x-teapot") == "tip me over");
  bench.exchange.request.path = "/coffee";
  CHECK(bench.run() == 418);
}
