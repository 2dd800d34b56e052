#include "observe/recent_failures.h"

#include <doctest/doctest.h>

#include "unit/exchange_bench.h"

using namespace weir;
using namespace weir::observe;
using namespace std::chrono_literals;

namespace {

const std::chrono::system_clock::time_point kNoon(1000s);

struct Bench : ExchangeBench {
  RecentFailures failures;

  void note(const Error& error, std::chrono::seconds after = 0s) {
    exchange.fail(error);
    failures.note(exchange, kNoon + after);
  }
  std::vector<RecentFailure> all() const {
    std::vector<RecentFailure> into;
    failures.add_to(into);
    return into;
  }
};

}  // namespace

TEST_CASE("recent failures: those of one kind are one entry with a count and the last one's details") {
  Bench bench;
  bench.exchange.destination.upstream = "api";
  bench.exchange.id = "id-1";
  bench.note({ErrorCode::overflow, Side::self, "first", RetrySafe::yes, "queue"});
  bench.exchange.id = "id-2";
  bench.note({ErrorCode::overflow, Side::self, "second", RetrySafe::yes, "queue"}, 5s);
  bench.note({ErrorCode::overflow, Side::self, "third", RetrySafe::yes, "max_requests"}, 6s);
  const auto all = bench.all();
  REQUIRE(all.size() == 2);
  CHECK(all[0].upstream == "api");
  CHECK(all[0].by == "queue");
  CHECK(all[0].count == 2);
  CHECK(all[0].at == kNoon + 5s);
  CHECK(all[0].detail == "second");
  CHECK(all[0].request_id == "id-2");
  CHECK(all[1].count == 1);
}

TEST_CASE("recent failures: of several workers the counts add up, and the latest is shown") {
  Bench bench, other;
  bench.note({ErrorCode::no_route, Side::client, "here"}, 9s);
  other.note({ErrorCode::no_route, Side::client, "there"}, 3s);
  other.note({ErrorCode::no_route, Side::client, "there"}, 4s);
  std::vector<RecentFailure> all;
  bench.failures.add_to(all);
  other.failures.add_to(all);
  REQUIRE(all.size() == 1);
  CHECK(all[0].count == 3);
  CHECK(all[0].detail == "here");
}

TEST_CASE("recent failures: a request that succeeds leaves no entry, one that a filter answered for does") {
  Bench bench;
  bench.exchange.respond(200);
  bench.failures.note(bench.exchange, kNoon);
  CHECK(bench.all().empty());
  bench.exchange.fail({ErrorCode::no_endpoint, Side::self, "none"});
  const auto replaced = bench.exchange.replaced(bench.arena);
  bench.exchange.respond(200);
  bench.exchange.answered_for(replaced);
  bench.failures.note(bench.exchange, kNoon);
  REQUIRE(bench.all().size() == 1);
  CHECK(bench.all()[0].code == ErrorCode::no_endpoint);
}

TEST_CASE("recent failures: of many kinds the one of longest ago gives way") {
  Bench bench;
  std::vector<std::string> names;
  for (size_t i = 0; i <= RecentFailures::kMost; ++i) names.push_back("limit " + std::to_string(i));
  for (size_t i = 0; i <= RecentFailures::kMost; ++i)
    bench.note({ErrorCode::rate_limited, Side::client, "", RetrySafe::no, names[i]}, std::chrono::seconds(i));
  const auto all = bench.all();
  CHECK(all.size() == RecentFailures::kMost);
  for (const auto& entry : all) {
    CHECK(entry.by != names[0]);
    CHECK(entry.count == 1);
  }
}
