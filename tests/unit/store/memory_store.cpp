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
