#include "exchange/conditions.h"

#include <doctest/doctest.h>

#include "unit/exchange_bench.h"

namespace weir {
namespace {

std::string matched(const Conditions& conditions, const Error& error, Conditions::Own own = Conditions::Own::yes) {
  ExchangeBench bench;
  bench.exchange.fail(error);
  return std::string(conditions.match(bench.exchange, own));
}

std::string matched(const Conditions& conditions, uint16_t status) {
  ExchangeBench bench;
  bench.exchange.respond(status);
  return std::string(conditions.match(bench.exchange));
}

}  // namespace

TEST_CASE("conditions: each word stands for its errors") {
  CHECK(matched({"connect_failure"}, {ErrorCode::connect_refused, Side::upstream}) == "connect_failure");
  CHECK(matched({"connect_failure"}, {ErrorCode::connect_timeout, Side::upstream}) == "connect_failure");
  CHECK(matched({"reset"}, {ErrorCode::incomplete_response, Side::upstream}) == "reset");
  CHECK(matched({"timeout"}, {ErrorCode::response_timeout, Side::upstream}) == "timeout");
  CHECK(matched({"circuit_open"}, {ErrorCode::circuit_open, Side::self}) == "circuit_open");
  CHECK(matched({"no_endpoint"}, {ErrorCode::no_endpoint, Side::self}) == "no_endpoint");
  CHECK(matched({"overflow"}, {ErrorCode::queue_timeout, Side::self}) == "overflow");
  for (const auto code : {ErrorCode::connection_limit, ErrorCode::concurrency_limit, ErrorCode::no_memory})
    CHECK(matched({"shed"}, {code, Side::self}) == "shed");
  CHECK(matched({"reset", "timeout"}, {ErrorCode::connect_refused, Side::upstream}) == "");
}

TEST_CASE("conditions: a stream that was refused is one that the endpoint never looked at") {
  CHECK(matched({"refused_stream"}, {ErrorCode::connection_reset, Side::upstream, "", RetrySafe::yes}) ==
        "refused_stream");
  CHECK(matched({"refused_stream"}, {ErrorCode::connection_reset, Side::upstream}) == "");
}

TEST_CASE("conditions: statuses, one by one and in groups") {
  CHECK(matched({"503"}, 503) == "503");
  CHECK(matched({"503"}, 502) == "");
  CHECK(matched({"gateway_error"}, 504) == "gateway_error");
  CHECK(matched({"gateway_error"}, 500) == "");
  CHECK(matched({"5xx"}, 500) == "5xx");
  CHECK(matched({"5xx", "429"}, 429) == "429");
  CHECK(matched({"5xx"}, 200) == "");
}

TEST_CASE("conditions: the status of an error that no endpoint had a part in counts when asked to") {
  const Error own{ErrorCode::circuit_open, Side::self};
  CHECK(matched({"503"}, own) == "503");
  CHECK(matched({"503"}, own, Conditions::Own::no) == "");
  CHECK(matched({"504"}, {ErrorCode::response_timeout, Side::upstream}, Conditions::Own::no) == "504");
}

TEST_CASE("conditions: a gRPC call that is unavailable has its status in its head") {
  ExchangeBench bench;
  bench.exchange.respond(200, "application/grpc");
  bench.exchange.response.head.headers.add("grpc-status", "14");
  CHECK(Conditions{"grpc_unavailable"}.match(bench.exchange) == "grpc_unavailable");
  bench.exchange.response.head.headers.set("grpc-status", "5");
  CHECK(Conditions{"grpc_unavailable"}.match(bench.exchange) == "");
}

TEST_CASE("conditions: what is no word and no status that tells of an error is refused") {
  Conditions conditions;
  CHECK_FALSE(conditions.add("timeouts"));
  CHECK_FALSE(conditions.add("200"));
  CHECK_FALSE(conditions.add("600"));
  CHECK(conditions.add("599"));
  CHECK(conditions.text() == "[599]");
}

}  // namespace weir
