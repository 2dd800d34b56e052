#include "exchange/text_template.h"

#include <doctest/doctest.h>

#include "unit/exchange_bench.h"

using namespace weir;

TEST_CASE("text_template: keys in braces become their values") {
  ExchangeBench bench;
  bench.exchange.client.ip = "10.0.0.1";
  const auto parsed = TextTemplate::parse("for {client.ip}, {{{header.x-user}}}.");
  REQUIRE(parsed);
  CHECK(parsed->render(bench.exchange) == "for 10.0.0.1, {}.");
  bench.exchange.request.headers.add("X-User", "ann");
  CHECK(parsed->render(bench.exchange) == "for 10.0.0.1, {ann}.");
}

TEST_CASE("text_template: a brace without its pair and a key that isn't one are refused") {
  CHECK_FALSE(TextTemplate::parse("{client.ip"));
  CHECK_FALSE(TextTemplate::parse("{no such key}"));
}
