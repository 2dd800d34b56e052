#include "async/first_of.h"

#include <doctest/doctest.h>

#include "unit/loop_bench.h"

using namespace weir;
using namespace std::chrono_literals;

namespace {

using Found = std::optional<int>;

struct Bench : LoopBench {
  Names ended;
  int started = 0;

  Task<Found> after(Duration wait, Found value) { return work(*this, wait, value); }
  Task<Found> find(std::vector<Task<Found>> tasks, Duration apart = 0s, Duration deadline = 1h) {
    return first_of(loop, loop.now() + deadline, apart, std::move(tasks));
  }

 private:
  static Task<Found> work(Bench& bench, Duration wait, Found value) {
    const Mourned mourned(bench.ended, value ? std::to_string(*value) : "none");
    ++bench.started;
    if (wait > 0s) co_await sleep_for(bench.loop, wait);
    co_return value;
  }
};

template <class... Tasks>
std::vector<Task<Found>> all(Tasks... tasks) {
  std::vector<Task<Found>> list;
  (list.push_back(std::move(tasks)), ...);
  return list;
}

}  // namespace

TEST_CASE("first of: the first value counts, and those who still run are destroyed before it is given") {
  Bench bench;
  auto found = bench.find(all(bench.after(3s, 3), bench.after(1s, 1), bench.after(2s, 2)));
  REQUIRE_FALSE(found.start());
  bench.advance(1s);
  REQUIRE(found.is_done());
  CHECK(found.take() == 1);
  CHECK(bench.ended.size() == 3);
}

TEST_CASE("first of: whoever comes to nothing doesn't count, and when all do, nothing is given") {
  Bench bench;
  auto found = bench.find(all(bench.after(1s, std::nullopt), bench.after(2s, 2)));
  REQUIRE_FALSE(found.start());
  bench.advance(1s);
  CHECK_FALSE(found.is_done());
  bench.advance(1s);
  CHECK(found.take() == 2);
  auto none = bench.find(all(bench.after(1s, std::nullopt), bench.after(2s, std::nullopt)));
  REQUIRE_FALSE(none.start());
  bench.pass(2s);
  CHECK_FALSE(none.take().has_value());
  auto nobody = bench.find({});
  REQUIRE(nobody.start());
  CHECK_FALSE(nobody.take().has_value());
}

TEST_CASE("first of: values that are there at once end it at once") {
  Bench bench;
  auto found = bench.find(all(bench.after(0s, std::nullopt), bench.after(0s, 2), bench.after(0s, 3)), 1s);
  REQUIRE(found.start());
  CHECK(found.take() == 2);
  CHECK(bench.started == 2);
}

TEST_CASE("first of: they start apart, the next one at once when another has come to nothing") {
  Bench bench;
  auto found = bench.find(
      all(bench.after(1h, 1), bench.after(48ms, std::nullopt), bench.after(1h, 3), bench.after(0s, 4)), 100ms);
  REQUIRE_FALSE(found.start());
  CHECK(bench.started == 1);
  bench.advance(100ms);
  CHECK(bench.started == 2);
  bench.advance(48ms);
  CHECK(bench.started == 3);
  bench.advance(80ms);
  CHECK_FALSE(found.is_done());
  bench.advance(40ms);
  REQUIRE(found.is_done());
  CHECK(found.take() == 4);
}

TEST_CASE("first of: at the deadline nothing is given") {
  Bench bench;
  auto found = bench.find(all(bench.after(1h, 1), bench.after(1h, 2)), 2s, 1s);
  REQUIRE_FALSE(found.start());
  bench.advance(1s);
  REQUIRE(found.is_done());
  CHECK_FALSE(found.take().has_value());
  CHECK(bench.started == 1);
}

TEST_CASE("first of: it may be destroyed while all wait") {
  Bench bench;
  auto found = bench.find(all(bench.after(1s, 1), bench.after(1s, 2)));
  REQUIRE_FALSE(found.start());
  found.reset();
  CHECK(bench.ended.size() == 2);
  bench.advance(1s);
}
