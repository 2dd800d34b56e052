#include "exchange/exchange.h"

#include <doctest/doctest.h>

#include "unit/exchange_bench.h"
#include "unit/task_bench.h"

namespace weir {

TEST_CASE("exchange: respond replaces whatever answer was there") {
  ExchangeBench bench;
  bench.exchange.fail({ErrorCode::no_route, Side::client});
  bench.exchange.response.head.headers.add("x-old", "1");
  bench.exchange.respond(201, "text/plain", "made");
  CHECK_FALSE(bench.exchange.failure.has_value());
  CHECK(bench.exchange.response.head.status == 201);
  CHECK(bench.response_field("content-type") == "text/plain");
  CHECK(bench.response_field("x-old") == "(none)");
  CHECK(bench.body() == "made");
}

TEST_CASE("exchange: a failure has its status at once, for filters to see") {
  ExchangeBench bench;
  bench.exchange.fail({ErrorCode::response_timeout, Side::upstream});
  CHECK(bench.exchange.response.head.status == 504);
  CHECK(bench.exchange.failure->code == ErrorCode::response_timeout);
}

TEST_CASE("exchange: rewound, the request is as it was at the mark") {
  ExchangeBench bench;
  auto& exchange = bench.exchange;
  exchange.request.headers.add("x-kept", "1");
  exchange.destination.upstream = "api";
  const auto mark = exchange.mark(1024);
  exchange.request.headers.set("x-kept", "2");
  exchange.request.headers.add("x-added", "1");
  exchange.request.path = "/rewritten";
  exchange.destination.upstream = "canary";
  exchange.fail({ErrorCode::connection_reset, Side::upstream});
  exchange.response.head.headers.add("x-answer", "1");

  REQUIRE(exchange.rewind(mark));
  CHECK(bench.request_field("x-kept") == "1");
  CHECK(bench.request_field("x-added") == "(none)");
  CHECK(exchange.request.path == "/");
  CHECK(exchange.destination.upstream == "api");
  CHECK_FALSE(exchange.failure.has_value());
  CHECK(exchange.response.body == nullptr);
  CHECK(bench.response_field("x-answer") == "(none)");
}

TEST_CASE("exchange: one mark serves many rewinds") {
  ExchangeBench bench;
  auto& exchange = bench.exchange;
  exchange.request_body = make_in<PiecesBody>(bench.arena, bench.arena, std::vector<std::string>{"one", "two"});
  exchange.request.headers.add("x-kept", "1");
  const auto mark = exchange.mark(1024);
  for (int i = 0; i < 4; ++i) {
    CHECK(bench.request_field("x-kept") == "1");
    exchange.request.headers.set("x-kept", "changed");
    exchange.request.headers.add("x-try", "1");
    CHECK(exchange.request.headers.size() == 2);
    CHECK(finished(exchange.request_body->whole(100)) == "onetwo");
    REQUIRE(exchange.rewind(mark));
  }
}

TEST_CASE("exchange: rewound, what filters below have put around the body is gone, and their marks with it") {
  struct Wrapper : Body {
    Wrapper(Arena& arena, BodyPtr inner, int& alive) : Body(arena), inner(std::move(inner)), alive(alive) { ++alive; }
    ~Wrapper() override { --alive; }
    Task<Result<Chunk>> read() override { return inner->read(); }
    http::BodySize size() const override { return inner->size(); }
    bool is_exact() const override { return inner->is_exact(); }
    BodyPtr inner;
    int& alive;
  };
  ExchangeBench bench;
  auto& exchange = bench.exchange;
  int alive = 0;
  exchange.request_body = make_in<PiecesBody>(bench.arena, bench.arena, std::vector<std::string>{"one", "two"});
  const auto outer = exchange.mark(1024);
  for (int i = 0; i < 3; ++i) {
    exchange.request_body = make_in<Wrapper>(bench.arena, bench.arena, std::move(exchange.request_body), alive);
    const auto inner = exchange.mark(1024);
    CHECK(finished(exchange.request_body->whole(100)) == "onetwo");
    REQUIRE(exchange.rewind(inner));
    CHECK(alive == 1);
    CHECK(finished(exchange.request_body->whole(100)) == "onetwo");
    REQUIRE(exchange.rewind(outer));
    CHECK(alive == 0);
  }
  CHECK(finished(exchange.request_body->whole(100)) == "onetwo");
}

TEST_CASE("exchange: rewound, what filters noted since is forgotten") {
  ExchangeBench bench;
  auto& facts = bench.exchange.facts;
  facts.set("a", "1");
  const auto mark = bench.exchange.mark(0);
  facts.set("a", "2");
  facts.set("b", "2");
  REQUIRE(bench.exchange.rewind(mark));
  CHECK(facts.get("a") == "1");
  CHECK(facts.get("b") == "");
}

TEST_CASE("exchange: an attempt stays where it is while others are added") {
  ExchangeBench bench;
  auto& attempts = bench.exchange.attempts;
  Attempt& first = attempts.add({.endpoint = "10.0.0.1:80"});
  for (int i = 0; i < 100; ++i) attempts.add({.endpoint = "10.0.0.2:80", .outcome = Outcome::abandoned});
  first.outcome = Outcome::answered;
  CHECK(&first == &attempts[0]);
  CHECK(attempts[100].number == 101);
  CHECK(&attempts.decisive() == &first);
}

TEST_CASE("exchange: a body that outgrew its replay can't be rewound, and nothing has changed then") {
  ExchangeBench bench;
  auto& exchange = bench.exchange;
  exchange.request_body = make_in<PiecesBody>(bench.arena, bench.arena, std::vector<std::string>{"12345"});
  const auto mark = exchange.mark(4);
  CHECK(finished(exchange.request_body->whole(100)) == "12345");
  exchange.respond(502);
  CHECK_FALSE(exchange.rewind(mark));
  CHECK(exchange.response.head.status == 502);
}

}  // namespace weir
