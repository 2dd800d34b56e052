#include "store/memory_store.h"

#include <doctest/doctest.h>

#include "contract/store/bench.h"

using namespace weir;
using namespace weir::store;
using namespace std::chrono_literals;

namespace {

struct SmallBench : MemoryBench {
  MemoryStore small{clock,
                    {.quotas = Bytes{64 << 10}, .claims = Bytes{64 << 10}, .values = Bytes{64 << 10}, .logs = 2}};
};

}  // namespace

TEST_CASE("memory store: past its bound it forgets the values that were unused for longest") {
  SmallBench bench;
  const std::string value(1000, 'v');
  for (int i = 0; i < 1000; ++i) {
    bench.wait(bench.small.put(bench.caller(), std::to_string(i), value, 1h));
  }
  int kept = 0;
  for (int i = 0; i < 1000; ++i)
    kept += bench.wait(bench.small.get(bench.caller(), std::to_string(i), 1000)).has_value();
  CHECK(kept > 16);
  CHECK(kept < 80);
  CHECK(bench.wait(bench.small.get(bench.caller(), "999", 1000)).has_value());
}

TEST_CASE("memory store: the quotas have a bound, which may change, and what goes for want of room is counted") {
  SmallBench bench;
  const Limit limit{"api", Limit::Algorithm::gcra, 1, 1h, 1};
  const auto take = [&](int key) {
    const auto text = std::to_string(key);
    const Take one[] = {{limit, text}};
    return bench.wait(bench.small.take(bench.caller(), one)).allowed;
  };
  for (int i = 0; i < 100; ++i) CHECK(take(i));
  const auto few = bench.small.usage();
  CHECK(few.quotas == 100);
  CHECK(few.bytes > 100 * 50);
  CHECK(few.forgotten == 0);
  CHECK_FALSE(take(0));
  for (int i = 100; i < 1000; ++i) CHECK(take(i));
  const auto many = bench.small.usage();
  CHECK(many.bytes <= 64 << 10);
  CHECK(many.quotas + many.forgotten == 1000);
  bench.small.bound_quotas(Bytes{1 << 20});
  for (int i = 1000; i < 2000; ++i) CHECK(take(i));
  CHECK(bench.small.usage().forgotten == many.forgotten);
  bench.clock.advance(2h);
  bench.small.bound_quotas(Bytes{16 << 10});
  for (int i = 2000; i < 2010; ++i) CHECK(take(i));
  CHECK(bench.small.usage().forgotten == many.forgotten);  // those that went were over
}

namespace {

constexpr Limit kLogin{"login", Limit::Algorithm::gcra, 1, 1h, 1};
constexpr Limit kApi{"api", Limit::Algorithm::gcra, 9, 1h, 9};

struct FloodBench : MemoryBench {
  MemoryStore store{clock, {.quotas = Bytes{1 << 20}}};

  bool take(const Limit& limit, const std::string& client, const std::string& key) {
    const Take one[] = {{limit, key, 1, client}};
    return wait(store.take(caller(), one)).allowed;
  }
  void flood(int keys, const Limit& limit = kApi) {
    for (int i = 0; i < keys; ++i) CHECK(take(limit, "192.0.2.66", "forged" + std::to_string(flooded_++)));
  }
  static std::string client(int number) {
    return "10.0." + std::to_string(number / 250) + "." + std::to_string(number % 250);
  }
  /// How many of so many clients have their one login again.
  int anew(int clients) {
    int count = 0;
    for (int i = 0; i < clients; ++i) count += take(kLogin, client(i), client(i));
    return count;
  }

 private:
  int flooded_ = 0;
};

}  // namespace

TEST_CASE("memory store: keys that one client invents let no quota of others begin anew") {
  for (const Limit& invented : {kApi, kLogin}) {
    FloodBench bench;
    REQUIRE(bench.anew(2000) == 2000);
    CHECK(bench.take(kApi, "192.0.2.66", "its first"));
    CHECK(bench.take(kLogin, "192.0.2.66", "192.0.2.66"));
    for (int round = 0; round < 5; ++round) {
      bench.flood(5000, invented);
      CHECK(bench.anew(2000) == 0);
    }
    CHECK(bench.store.usage().bytes <= 1 << 20);
    CHECK(bench.store.usage().forgotten > 20'000);
    if (invented == kApi) CHECK_FALSE(bench.take(kLogin, "192.0.2.66", "192.0.2.66"));  // of another limit
  }
}

TEST_CASE("memory store: keys invented from all of an IPv6 /48 cost that alone") {
  FloodBench bench;
  REQUIRE(bench.anew(2000) == 2000);
  for (int i = 0; i < 20'000; ++i) {
    const std::string client = "2001:db8:7:" + std::to_string(i % 9999) + "::1";
    CHECK(bench.take(kApi, client, "forged" + std::to_string(i)));
  }
  CHECK(bench.anew(2000) == 0);
}

TEST_CASE("memory store: in a store that many clients have filled, one client's keys cost next to nobody anything") {
  FloodBench bench;
  constexpr int kClients = 10'000;  // more than fit
  bench.anew(kClients);
  const auto held = static_cast<int>(bench.store.usage().quotas);
  REQUIRE(held < kClients);
  bench.flood(20'000);
  CHECK(bench.store.usage().quotas > static_cast<size_t>(held) * 95 / 100);
  int kept = 0;
  for (int i = kClients - 500; i < kClients; ++i) kept += !bench.take(kLogin, bench.client(i), bench.client(i));
  CHECK(kept > 400);  // of the latest
}

TEST_CASE("memory store: one client's few large logs do not cost many small quotas of others") {
  FloodBench bench;
  REQUIRE(bench.anew(2000) == 2000);
  const Limit log{"log", Limit::Algorithm::sliding_log, 5000, 1h};
  for (int i = 0; i < 500; ++i) {
    const auto key = std::to_string(i);
    const Take one[] = {{log, key, 5000, "192.0.2.66"}};
    CHECK(bench.wait(bench.store.take(bench.caller(), one)).allowed);
  }
  CHECK(bench.anew(2000) == 0);
}

TEST_CASE("memory store: in a full store no client gains by what it uses most") {
  FloodBench bench;
  constexpr int kClients = 10'000;  // more than fit
  bench.anew(kClients);
  const Limit log{"log", Limit::Algorithm::sliding_log, 500, 1h};
  const Limit office{"office", Limit::Algorithm::gcra, 3, 1h, 3};
  int logged = 0;
  int office_takes = 0;
  for (int i = 0; i < 3000; ++i) {
    logged += bench.take(log, "192.0.2.66", "one");
    office_takes += bench.take(office, "192.0.2.77", "user" + std::to_string(i % 50));
    bench.take(kLogin, bench.client(i), bench.client(i));  // others go on
  }
  CHECK(logged == 500);
  CHECK(office_takes <= 200);  // 3 of each of 50 users, and few anew
}

TEST_CASE("memory store: the quotas that are over make room, whoever brought them") {
  FloodBench bench;
  bench.flood(1000);
  bench.clock.advance(2h);
  for (int i = 0; i < 40'000; ++i) bench.take(kLogin, bench.client(1), "x" + std::to_string(i % 64));
  CHECK(bench.store.usage().quotas < 100);
  CHECK(bench.store.usage().forgotten == 0);
}

TEST_CASE("memory store: what a sliding log remembers counts against the bound, and is given back") {
  SmallBench bench;
  const Limit limit{"exact", Limit::Algorithm::sliding_log, 1000, 1s};
  const auto take = [&](uint64_t cost) {
    const Take one[] = {{limit, "k", cost}};
    return bench.wait(bench.small.take(bench.caller(), one)).allowed;
  };
  CHECK(take(1));
  const auto before = bench.small.usage().bytes;
  CHECK(take(500));
  CHECK(bench.small.usage().bytes >= before + 500 * sizeof(Duration));
  bench.clock.advance(1s);
  CHECK(take(1));
  CHECK(bench.small.usage().bytes < before + 100 * sizeof(Duration));
}

TEST_CASE("memory store: a claim is refused when it is full, never forgotten") {
  SmallBench bench;
  int made = 0;
  bool refused = false;
  for (int i = 0; i < 10'000 && !refused; ++i) {
    const std::string key = std::to_string(i);
    auto call = bench.small.claim(bench.caller(), key, {"owner", "fp", 1h, 1h});
    REQUIRE(call.start());
    const auto claim = call.take();
    refused = !claim;
    made += claim.has_value();
    if (refused) CHECK(claim.error().code == ErrorCode::store_unavailable);
  }
  CHECK(refused);
  CHECK(made > 16);
  const auto first = bench.wait(bench.small.claim(bench.caller(), "0", {"other", "fp", 1h, 1h}));
  CHECK(first.state == Claim::State::running);
}

TEST_CASE("table: what is over makes room as others come") {
  Table<int> table(1 << 20);
  const Time start{};
  for (int i = 0; i < 100; ++i) table.put(std::to_string(i), i, start + 1s);
  for (int i = 100; i < 150; ++i) {
    table.sweep(start + 2s);
    table.put(std::to_string(i), i, start + 10s);
  }
  CHECK(table.size() == 50);
}
