#include "async/loop.h"

#include <doctest/doctest.h>

#include <memory>

#include "unit/loop_bench.h"

namespace weir {
namespace {

using namespace std::chrono_literals;

/// A thing to wake, of any of the loop's kinds, that writes its name down when it runs.
template <class Kind>
struct Named : Kind {
  Named(Names& log, std::string name) : log(log), name(std::move(name)) {
    this->run = [](Ready& self) {
      auto& named = static_cast<Named&>(static_cast<Kind&>(self));
      named.log.push_back(named.name);
    };
  }
  Names& log;
  std::string name;
};

}  // namespace

TEST_CASE("loop: what is woken runs in that order, and not inside the call") {
  LoopBench bench;
  Names ran;
  Named<Ready> first(ran, "first"), second(ran, "second");
  bench.loop.wake(first);
  bench.loop.wake(second);
  CHECK(ran.empty());
  bench.loop.poll();
  CHECK(ran == Names{"first", "second"});
}

TEST_CASE("loop: what runs may wake another, which runs after those that waited") {
  LoopBench bench;
  Names ran;
  Named<Ready> last(ran, "last");
  struct Waker : Ready {
    Loop& loop;
    Ready& other;
  };
  Waker waker{{}, bench.loop, last};
  waker.run = [](Ready& self) { static_cast<Waker&>(self).loop.wake(static_cast<Waker&>(self).other); };
  Named<Ready> second(ran, "second");
  bench.loop.wake(waker);
  bench.loop.wake(second);
  bench.loop.poll();
  CHECK(ran == Names{"second", "last"});
}

TEST_CASE("loop: who is woken by the end of a turn and asks for another doesn't wait for an event") {
  LoopBench bench;
  struct Asker : EndOfTick {
    struct Woken : Ready {
      Asker* asker;
    } woken;
    Loop& loop;
    int left = 100;
  };
  Asker asker{{}, {}, bench.loop};
  asker.woken.asker = &asker;
  asker.woken.run = [](Ready& self) {
    Asker& asker = *static_cast<Asker::Woken&>(self).asker;
    if (--asker.left == 0) return asker.loop.stop();
    asker.loop.at_end_of_tick(asker);
  };
  asker.run = [](Ready& self) {
    auto& asker = static_cast<Asker&>(static_cast<EndOfTick&>(self));
    asker.loop.wake(asker.woken);
  };
  bench.loop.at_end_of_tick(asker);
  bench.loop.run();
  CHECK(asker.left == 0);
}

TEST_CASE("loop: what is destroyed before its turn isn't run") {
  LoopBench bench;
  Names ran;
  auto first = std::make_unique<Named<Ready>>(ran, "first");
  Named<Ready> second(ran, "second");
  bench.loop.wake(*first);
  bench.loop.wake(second);
  first.reset();
  bench.loop.poll();
  CHECK(ran == Names{"second"});
}

TEST_CASE("loop: what asks for the end of the tick runs after what is ready, once for all who asked") {
  LoopBench bench;
  Names ran;
  Named<EndOfTick> end(ran, "end");
  Named<Ready> ready(ran, "ready");
  bench.loop.at_end_of_tick(end);
  bench.loop.at_end_of_tick(end);
  bench.loop.wake(ready);
  bench.settle();
  CHECK(ran == Names{"ready", "end"});
}

TEST_CASE("loop: one that asks again at the end of a tick has its turn in the next") {
  LoopBench bench;
  struct Again : EndOfTick {
    Loop* loop;
    int runs = 0;
  } again;
  again.loop = &bench.loop;
  again.run = [](Ready& self) {
    auto& again = static_cast<Again&>(static_cast<EndOfTick&>(self));
    ++again.runs;
    again.loop->at_end_of_tick(again);
  };
  bench.loop.at_end_of_tick(again);
  bench.loop.poll();
  CHECK(again.runs < 5);
}

TEST_CASE("loop: timers fire in the order of their times") {
  LoopBench bench;
  Names ran;
  Named<TimerNode> late(ran, "late"), early(ran, "early");
  bench.loop.start_timer(late, 2s);
  bench.loop.start_timer(early, 1s);
  bench.advance(999ms);
  CHECK(ran.empty());
  bench.advance(5s);
  CHECK(ran == Names{"early", "late"});
}

TEST_CASE("loop: a timer that is started again counts from then") {
  LoopBench bench;
  Names ran;
  Named<TimerNode> timer(ran, "fired");
  bench.loop.start_timer(timer, 1s);
  bench.advance(900ms);
  bench.loop.start_timer(timer, 1s);
  bench.advance(900ms);
  CHECK(ran.empty());
  bench.advance(104ms);
  CHECK(ran == Names{"fired"});
}

TEST_CASE("loop: a timer without end never fires") {
  LoopBench bench;
  Names ran;
  Named<TimerNode> never(ran, "never");
  bench.loop.start_timer_at(never, Time::max());
  bench.advance(24h);
  CHECK(ran.empty());
}

TEST_CASE("loop: time stands still within one callback") {
  LoopBench bench;
  struct Looker : Ready {
    LoopBench& bench;
    Duration seen = 1h;
  } looker{{}, bench};
  looker.run = [](Ready& self) {
    auto& looker = static_cast<Looker&>(self);
    const Time before = looker.bench.loop.now();
    looker.bench.clock.advance(1s);
    looker.seen = looker.bench.loop.now() - before;
  };
  bench.loop.wake(looker);
  bench.loop.poll();
  CHECK(looker.seen == 0s);
  const Time before = bench.loop.now();
  bench.clock.advance(1s);
  bench.loop.poll();
  CHECK(bench.loop.now() - before >= 1s);
}

TEST_CASE("loop: a letter runs in a turn of its own") {
  LoopBench bench;
  Names ran;
  bench.loop.post([&] { ran.push_back("letter"); });
  CHECK(ran.empty());
  CHECK(bench.until([&] { return !ran.empty(); }));
}

TEST_CASE("loop: letters that are left when it goes are dropped") {
  ManualClock clock;
  auto held = std::make_shared<int>(1);
  {
    Loop loop(clock);
    loop.post([held] {});
    CHECK(held.use_count() == 2);
  }
  CHECK(held.use_count() == 1);
}

TEST_CASE("loop: stop ends run, and it can run again") {
  LoopBench bench;
  int turns = 0;
  for (int i = 0; i < 2; ++i) {
    bench.loop.post([&] {
      ++turns;
      bench.loop.stop();
    });
    bench.loop.run();
  }
  CHECK(turns == 2);
}

}  // namespace weir
