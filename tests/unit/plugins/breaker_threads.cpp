#include <thread>
#include <vector>

#include "unit/plugins/breaker_bench.h"

using namespace weir;
using namespace weir::plugins;
using State = Breaker::State;

namespace {

void together(int threads, const std::function<void(int)>& work) {
  std::vector<std::thread> all;
  for (int i = 0; i < threads; ++i) all.emplace_back(work, i);
  for (auto& thread : all) thread.join();
}

}  // namespace

TEST_CASE("breaker: workers that ask at once get no more than the probes") {
  CircuitBench bench;
  for (int round = 0; round < 50; ++round) {
    bench.trip();
    bench.wait_for_probes();
    std::atomic<int> admitted = 0;
    together(4, [&](int) {
      for (int i = 0; i < 50; ++i) admitted += bench.admit().has_value();
    });
    REQUIRE(admitted == 3);
    bench.breaker.force(State::forced_closed, bench.now);
    bench.breaker.force(State::closed, bench.now);
  }
}

TEST_CASE("breaker: while workers succeed, fail and give up, never more are under way than the probes") {
  CircuitBench bench;
  bench.settings.half_open_successes = 200;
  bench.trip();
  bench.wait_for_probes();
  std::atomic<int> under_way = 0;
  std::atomic<int> most = 0;
  together(4, [&](int worker) {
    for (int i = 0; i < 5000; ++i) {
      const auto ticket = bench.admit();
      if (!ticket) continue;
      const int now = ++under_way;
      for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
      }
      --under_way;
      bench.settle(*ticket, worker % 2 ? Verdict::neutral : Verdict::success);
      if (bench.state() == State::closed) return;
    }
  });
  CHECK(most <= 3);
}

TEST_CASE("breaker: every attempt that workers count while it is closed is counted") {
  CircuitBench bench;
  bench.settings.failure_ratio = Ratio{1};
  bench.circuit();
  together(4, [&](int worker) {
    for (int i = 0; i < 5000; ++i) {
      const auto ticket = bench.admit();
      bench.settle(*ticket, worker == 0 && i % 2 ? Verdict::failure : Verdict::success);
      if (i % 1000 == 0) bench.breaker.status(bench.now);
    }
  });
  const auto counts = bench.breaker.status(bench.now).counts;
  CHECK(counts.all == 20000);
  CHECK(counts.failed == 2500);
}

TEST_CASE("breaker: an operator forces it while workers ask") {
  CircuitBench bench;
  bench.circuit();
  together(3, [&](int worker) {
    for (int i = 0; i < 2000; ++i) {
      if (worker == 0) {
        bench.breaker.force(i % 3 == 0   ? State::forced_open
                            : i % 3 == 1 ? State::forced_closed
                                         : State::closed,
                            bench.now);
      } else if (const auto ticket = bench.admit()) {
        bench.settle(*ticket, i % 2 ? Verdict::failure : Verdict::success);
      }
    }
  });
  bench.breaker.force(State::forced_closed, bench.now);
  bench.breaker.force(State::closed, bench.now);
  CHECK(bench.shown("closed") + bench.shown("open") + bench.shown("half_open") == 1);
  CHECK(bench.breaker.status(bench.now).probes == 0);
}
