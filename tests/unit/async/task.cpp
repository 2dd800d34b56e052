#include "async/task.h"

#include <doctest/doctest.h>

#include <memory>
#include <stdexcept>
#include <string>

#include "async/event.h"
#include "unit/loop_bench.h"

namespace weir {
namespace {

Task<int> answer(int value) { co_return value; }

Task<int> note(bool& has_run) {
  has_run = true;
  co_return 1;
}

Task<int> sum_of_ones(int count) {
  int sum = 0;
  for (int i = 0; i < count; ++i) sum += co_await answer(1);
  co_return sum;
}

Task<int> depth(int below) {
  if (below == 0) co_return 0;
  co_return 1 + co_await depth(below - 1);
}

Task<> throws() {
  throw std::runtime_error("oh");
  co_return;
}

Task<std::string> catches() {
  try {
    co_await throws();
  } catch (const std::runtime_error& error) {
    co_return error.what();
  }
  co_return "nothing was thrown";
}

/// `levels` frames, one below the other, the last of which waits for an event.
Task<> wait_below(Event& event, Names& gone, int levels) {
  const Mourned frame(gone, std::to_string(levels));
  if (levels == 1) {
    co_await event.wait();
  } else {
    co_await wait_below(event, gone, levels - 1);
  }
}

/// Lends its arena, as an exchange does.
struct Lender {
  Arena* arena;
  Arena* frame_arena() const { return arena; }
  Task<int> doubled(int value) const { co_return 2 * value; }
};

Task<int> lent(int value, const Lender&) { co_return value; }

Task<int> lent_sum(const Lender& lender, int count) {
  int sum = 0;
  for (int i = 0; i < count; ++i) sum += co_await lent(1, lender);
  co_return sum;
}

}  // namespace

TEST_CASE("task: does nothing before it is started") {
  bool has_run = false;
  auto task = note(has_run);
  CHECK_FALSE(has_run);
  CHECK(task.start());
  CHECK(has_run);
  CHECK(task.take() == 1);
}

TEST_CASE("task: one that is never started is dropped without a trace") {
  bool has_run = false;
  {
    const auto task = note(has_run);
  }
  CHECK_FALSE(has_run);
}

TEST_CASE("task: its value goes to whoever awaits it, moved") {
  const auto give = []() -> Task<std::unique_ptr<int>> { co_return std::make_unique<int>(7); };
  auto task = [&]() -> Task<int> { co_return *co_await give(); }();
  REQUIRE(task.start());
  CHECK(task.take() == 7);
}

TEST_CASE("task: a million children in a row need no more stack than one") {
  auto task = sum_of_ones(1'000'000);
  REQUIRE(task.start());
  CHECK(task.take() == 1'000'000);
}

TEST_CASE("task: children two hundred thousand deep need no more stack than one") {
  auto task = depth(200'000);
  REQUIRE(task.start());
  CHECK(task.take() == 200'000);
}

TEST_CASE("task: what it throws reaches its awaiter") {
  auto task = catches();
  REQUIRE(task.start());
  CHECK(task.take() == "oh");
}

TEST_CASE("task: what it throws reaches whoever takes its result") {
  auto task = throws();
  REQUIRE(task.start());
  CHECK_THROWS_WITH(task.take(), "oh");
}

TEST_CASE("task: destroyed while it waits, it takes every frame below with it, the deepest first") {
  LoopBench bench;
  Event event(bench.loop);
  Names gone;
  auto task = wait_below(event, gone, 3);
  CHECK_FALSE(task.start());
  task.reset();
  CHECK(gone == Names{"1", "2", "3"});
  event.set();
  bench.settle();
}

TEST_CASE("task: destroyed between its wake and its turn, it isn't resumed") {
  LoopBench bench;
  Event event(bench.loop);
  Names gone;
  auto task = wait_below(event, gone, 2);
  task.start();
  event.set();
  task.reset();
  bench.settle();
  CHECK(gone == Names{"1", "2"});
}

TEST_CASE("task: assigned to, it cancels what it was") {
  LoopBench bench;
  Event event(bench.loop);
  Names gone;
  auto task = wait_below(event, gone, 1);
  task.start();
  task = Task<>();
  CHECK(gone == Names{"1"});
  CHECK_FALSE(task);
}

TEST_CASE("task: one that was started can be awaited until it has settled") {
  LoopBench bench;
  Event event(bench.loop);
  const auto child = [](Event& event) -> Task<int> {
    co_await event.wait();
    co_return 5;
  };
  const auto parent = [&](Event& event) -> Task<int> {
    auto started = child(event);
    started.start();
    co_await started.settled();
    co_return started.take();
  };
  auto task = parent(event);
  CHECK_FALSE(task.start());
  event.set();
  bench.settle();
  REQUIRE(task.is_done());
  CHECK(task.take() == 5);
}

TEST_CASE("task: settled passes at once when the task is done") {
  const auto parent = []() -> Task<int> {
    auto started = answer(3);
    started.start();
    co_await started.settled();
    co_return started.take();
  };
  auto task = parent();
  REQUIRE(task.start());
  CHECK(task.take() == 3);
}

TEST_CASE("task: its frame comes from the arena of an argument") {
  BlockPool pool(8 * 1024);
  Arena arena(pool);
  auto task = lent(4, Lender{&arena});
  CHECK(arena.footprint() > 0);
  REQUIRE(task.start());
  CHECK(task.take() == 4);
}

TEST_CASE("task: a member function's frame comes from its object's arena") {
  BlockPool pool(8 * 1024);
  Arena arena(pool);
  const Lender lender{&arena};
  auto task = lender.doubled(4);
  CHECK(arena.footprint() > 0);
  REQUIRE(task.start());
  CHECK(task.take() == 8);
}

TEST_CASE("task: an argument without an arena lends none") {
  auto task = lent(4, Lender{nullptr});
  REQUIRE(task.start());
  CHECK(task.take() == 4);
}

TEST_CASE("task: a million children leave their arena's size unchanged") {
  BlockPool pool(8 * 1024);
  Arena arena(pool);
  const Lender lender{&arena};
  auto warm = lent_sum(lender, 1);
  warm.start();
  const size_t before = arena.footprint();
  auto task = lent_sum(lender, 1'000'000);
  REQUIRE(task.start());
  CHECK(arena.footprint() == before);
}

}  // namespace weir
