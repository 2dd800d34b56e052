#include "async/turn_meter.h"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <cerrno>
#include <system_error>

#include "unit/loop_bench.h"

namespace weir {

using namespace std::chrono_literals;

TEST_CASE("turn meter: a turn lasts from the first event to the next wait") {
  LoopBench bench;
  TurnMeter meter;
  bench.loop.measure(meter);
  bench.loop.post([&] {
    CHECK(meter.is_running());
    bench.clock.advance(30ms);
    CHECK(meter.take_longest(bench.clock.now()) == 30ms);
  });
  bench.settle();
  CHECK_FALSE(meter.is_running());
  CHECK(meter.beat() == 2);
  CHECK(meter.turns().bucket(Histogram::bucket_of(30ms)) == 1);
  CHECK(meter.turns().sum() == 30ms);
}

TEST_CASE("turn meter: the longest turn is told once") {
  LoopBench bench;
  TurnMeter meter;
  bench.loop.measure(meter);
  for (const auto took : {10ms, 40ms, 20ms}) {
    bench.loop.post([&bench, took] { bench.clock.advance(took); });
    bench.settle();
  }
  CHECK(meter.take_longest(bench.clock.now()) == 40ms);
  CHECK(meter.take_longest(bench.clock.now()) == 0ms);
}

TEST_CASE("turn meter: time without an event is nobody's turn") {
  LoopBench bench;
  TurnMeter meter;
  bench.loop.measure(meter);
  bench.advance(10s);
  CHECK(meter.take_longest(bench.clock.now()) < 10s);
  CHECK_FALSE(meter.is_running());
}

namespace {

/// No more descriptors than there are, until destroyed.
struct NoMoreFiles {
  NoMoreFiles() {
    ::getrlimit(RLIMIT_NOFILE, &before);
    rlimit none = before;
    none.rlim_cur = 0;
    ::setrlimit(RLIMIT_NOFILE, &none);
  }
  ~NoMoreFiles() { ::setrlimit(RLIMIT_NOFILE, &before); }
  rlimit before{};
};

}  // namespace

TEST_CASE("loop: without descriptors there is none, and the reason is told") {
  const SteadyClock clock;
  {  // a sanitizer that meets a type for the first time needs descriptors of its own
    const Loop first(clock);
    const std::system_error known(EMFILE, std::generic_category(), "known");
  }
  std::string reason;
  try {
    const NoMoreFiles limit;
    const Loop loop(clock);
  } catch (const std::system_error& error) {
    reason = error.what();
  }
  CHECK(reason == "can't make an event loop: Too many open files");
}

}  // namespace weir
