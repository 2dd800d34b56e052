#include "async/task_group.h"

#include <doctest/doctest.h>

#include <stdexcept>

#include "async/event.h"
#include "unit/loop_bench.h"

namespace weir {
namespace {

std::string last_exception;

void remember(std::exception_ptr thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const std::exception& error) {
    last_exception = error.what();
  }
}

Task<> wait(Event& event, Names& log, std::string name) {
  const Mourned frame(log, name);
  co_await event.wait();
  log.push_back(name + " went on");
}

Task<> throw_after(Event& event) {
  co_await event.wait();
  throw std::runtime_error("oh");
}

}  // namespace

TEST_CASE("task group: starts a task inside spawn and forgets it when it has ended") {
  LoopBench bench;
  Event event(bench.loop);
  Names log;
  TaskGroup group(bench.loop);
  group.spawn(wait(event, log, "a"));
  CHECK(group.size() == 1);
  event.set();
  bench.settle();
  CHECK(log == Names{"a went on", "a"});
  CHECK(group.size() == 0);
}

TEST_CASE("task group: a task that needs no waiting is gone by the next turn") {
  LoopBench bench;
  Event event(bench.loop);
  event.set();
  Names log;
  TaskGroup group(bench.loop);
  group.spawn(wait(event, log, "a"));
  bench.settle();
  CHECK(group.size() == 0);
}

TEST_CASE("task group: an exception is handed over, and the others live on") {
  LoopBench bench;
  Event now(bench.loop);
  Event later(bench.loop);
  Names log;
  TaskGroup group(bench.loop, remember);
  group.spawn(throw_after(now));
  group.spawn(wait(later, log, "b"));
  now.set();
  bench.settle();
  CHECK(last_exception == "oh");
  CHECK(group.size() == 1);
}

TEST_CASE("task group: cancel destroys all that still wait") {
  LoopBench bench;
  Event event(bench.loop);
  Names log;
  TaskGroup group(bench.loop);
  group.spawn(wait(event, log, "a"));
  group.spawn(wait(event, log, "b"));
  group.cancel();
  CHECK(log == Names{"a", "b"});
  CHECK(group.size() == 0);
  event.set();
  bench.settle();
  CHECK(log.size() == 2);
}

TEST_CASE("task group: takes its tasks with it, those that have just ended too") {
  LoopBench bench;
  Event event(bench.loop);
  Names log;
  {
    TaskGroup group(bench.loop);
    group.spawn(wait(event, log, "a"));
    event.set();
    group.spawn(wait(event, log, "b"));
  }
  bench.settle();
  CHECK(log == Names{"b went on", "b", "a"});
}

}  // namespace weir
