#include "async/event.h"

#include <doctest/doctest.h>

#include <csignal>

#include "async/signals.h"
#include "async/sleep.h"
#include "async/task_group.h"
#include "unit/loop_bench.h"

namespace weir {
namespace {

using namespace std::chrono_literals;

template <class Source>
Task<> wait_for(Source& source, Names& log, std::string name) {
  co_await source.wait();
  log.push_back(name);
}

/// An owner of an alarm, as connections are.
struct Sleeper {
  Sleeper(Loop& loop, int& rings) : rings(rings), alarm(loop, *this) {}
  void ring() { ++rings; }
  int& rings;
  Alarm<Sleeper, &Sleeper::ring> alarm;
};

}  // namespace

TEST_CASE("event: set wakes all who wait, in their order; who comes later passes") {
  LoopBench bench;
  Event event(bench.loop);
  Names ran;
  auto first = wait_for(event, ran, "first");
  auto second = wait_for(event, ran, "second");
  first.start();
  second.start();
  event.set();
  CHECK(ran.empty());
  bench.settle();
  CHECK(ran == Names{"first", "second"});
  auto late = wait_for(event, ran, "late");
  CHECK(late.start());
}

TEST_CASE("event: cleared, it holds again") {
  LoopBench bench;
  Event event(bench.loop);
  Names ran;
  event.set();
  event.clear();
  auto waiter = wait_for(event, ran, "waiter");
  CHECK_FALSE(waiter.start());
}

TEST_CASE("signal: wakes who waits now and remembers nothing") {
  LoopBench bench;
  Signal signal(bench.loop);
  Names ran;
  signal.notify();
  auto waiter = wait_for(signal, ran, "waiter");
  CHECK_FALSE(waiter.start());
  CHECK(signal.is_awaited());
  signal.notify();
  CHECK_FALSE(signal.is_awaited());
  bench.settle();
  CHECK(ran == Names{"waiter"});
}

TEST_CASE("sleep: ends at its time, not before, and not at all when given up") {
  LoopBench bench;
  Names ran;
  const auto sleep = [](Loop& loop, Names& ran) -> Task<> {
    co_await sleep_for(loop, 1s);
    ran.push_back("awake");
  };
  auto kept = sleep(bench.loop, ran);
  auto dropped = sleep(bench.loop, ran);
  kept.start();
  dropped.start();
  bench.advance(999ms);
  CHECK(ran.empty());
  dropped.reset();
  bench.advance(8ms);
  CHECK(ran == Names{"awake"});
}

TEST_CASE("sleep: until a time that has passed is no sleep") {
  LoopBench bench;
  const auto sleep = [](Loop& loop) -> Task<> { co_await sleep_until(loop, loop.now() - 1s); };
  auto task = sleep(bench.loop);
  CHECK(task.start());
}

TEST_CASE("alarm: rings once, later when started again, never when stopped") {
  LoopBench bench;
  int rings = 0;
  Sleeper sleeper(bench.loop, rings);
  sleeper.alarm.start(1s);
  CHECK(sleeper.alarm.is_running());
  bench.advance(500ms);
  sleeper.alarm.start(1s);
  bench.advance(600ms);
  CHECK(rings == 0);
  bench.advance(404ms);
  CHECK(rings == 1);
  CHECK_FALSE(sleeper.alarm.is_running());
  sleeper.alarm.start(1s);
  sleeper.alarm.stop();
  bench.advance(5s);
  CHECK(rings == 1);
}

TEST_CASE("alarm: destroyed with its owner, it is silent") {
  LoopBench bench;
  int rings = 0;
  {
    Sleeper sleeper(bench.loop, rings);
    sleeper.alarm.start(1s);
  }
  Sleeper next(bench.loop, rings);  // in its place, perhaps
  next.alarm.start(10s);
  bench.advance(5s);
  CHECK(rings == 0);
  bench.advance(6s);
  CHECK(rings == 1);
}

TEST_CASE("signals: a signal of the process calls back on the loop, until the watch is gone") {
  LoopBench bench;
  int seen = 0;
  {
    const Signals signals(bench.loop, {SIGUSR1, SIGUSR2}, [&](int number) { seen = number; });
    ::raise(SIGUSR2);
    CHECK(bench.until([&] { return seen == SIGUSR2; }));
    ::raise(SIGUSR1);
    CHECK(bench.until([&] { return seen == SIGUSR1; }));
  }
  bench.settle();
}

}  // namespace weir
