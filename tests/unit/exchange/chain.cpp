#include "exchange/chain.h"

#include <doctest/doctest.h>

#include <functional>

#include "unit/exchange_bench.h"
#include "unit/loop_bench.h"
#include "unit/task_bench.h"

namespace weir {
namespace {

/// A filter as a test writes it.
struct Scripted : Filter {
  using Script = std::function<Task<>(Exchange&, Next)>;
  explicit Scripted(Script script) : script(std::move(script)) {}
  Task<> handle(Exchange& exchange, Next next) const override { return script(exchange, next); }
  Script script;
};

struct Bench : ExchangeBench {
  void add(Scripted::Script script) {
    links.push_back({"filter" + std::to_string(links.size()), std::make_shared<Scripted>(std::move(script))});
  }
  /// Notes when it is passed, on the way there and back.
  void add_noting(std::string name) {
    add([this, name](Exchange& exchange, Next next) -> Task<> {
      passed.push_back(name + " in");
      co_await next(exchange);
      passed.push_back(name + " out");
    });
  }
  uint16_t run() {
    const Chain chain(links, std::make_shared<StubOrigin>());
    finished(chain.run(exchange));
    return exchange.response.head.status;
  }

  std::vector<Chain::Link> links;
  Names passed;
};

}  // namespace

TEST_CASE("chain: without filters the origin answers") {
  Bench bench;
  CHECK(bench.run() == 200);
}

TEST_CASE("chain: filters stand around the rest, the first outermost") {
  Bench bench;
  bench.add_noting("a");
  bench.add_noting("b");
  CHECK(bench.run() == 200);
  CHECK(bench.passed == Names{"a in", "b in", "b out", "a out"});
}

TEST_CASE("chain: a filter that doesn't call next answers by itself") {
  Bench bench;
  bench.add_noting("a");
  bench.add([](Exchange& exchange, Next) -> Task<> {
    exchange.respond(403);
    co_return;
  });
  bench.add_noting("b");
  CHECK(bench.run() == 403);
  CHECK(bench.passed == Names{"a in", "a out"});
}

TEST_CASE("chain: a filter that calls next again tries again") {
  Bench bench;
  bench.add([](Exchange& exchange, Next next) -> Task<> {
    const auto mark = exchange.mark(0);
    co_await next(exchange);
    if (exchange.rewind(mark)) co_await next(exchange);
  });
  bench.add_noting("a");
  CHECK(bench.run() == 200);
  CHECK(bench.passed == Names{"a in", "a out", "a in", "a out"});
}

TEST_CASE("chain: what a filter throws reaches whoever runs the chain, past the outer filters") {
  Bench bench;
  bench.add_noting("a");
  bench.add([](Exchange&, Next) -> Task<> {
    throw std::runtime_error("oh");
    co_return;
  });
  CHECK_THROWS_WITH(bench.run(), "oh");
  CHECK(bench.passed == Names{"a in"});
}

TEST_CASE("chain: its frames come from the exchange's arena, and serve the next run") {
  Bench bench;
  for (int i = 0; i < 5; ++i) bench.add_noting("a");
  bench.run();
  const size_t before = bench.arena.footprint();
  for (int i = 0; i < 1000; ++i) {
    bench.passed.clear();
    const Chain chain(bench.links, std::make_shared<StubOrigin>());
    auto task = chain.run(bench.exchange);
    task.start();
  }
  CHECK(bench.arena.footprint() < before + 200 * 1024);  // the stub's answers, not the frames
}

}  // namespace weir
