#include "base/log.h"

#include "async/sleep.h"
#include "store/announcer.h"
#include "store/memory_store.h"
#include "unit/loop_bench.h"

using namespace weir;
using namespace weir::store;
using namespace std::chrono_literals;

namespace {

/// May be gone, and may be shared, as far as it says.
struct MoodyStore : MemoryStore {
  using MemoryStore::MemoryStore;
  bool is_shared() const override { return is_said_to_be_shared; }
  Task<Result<std::string_view>> append_all(Caller caller, std::string_view log,
                                            std::span<const std::string_view> values, size_t most) override {
    ++appends;
    if (is_gone) co_return std::unexpected(Error{ErrorCode::store_unavailable, Side::self, ""});
    co_return co_await MemoryStore::append_all(caller, log, values, most);
  }
  Task<Result<std::span<const Entry>>> read(Caller caller, std::string_view log, std::string_view after,
                                            size_t count) override {
    ++reads;
    if (is_erratic) co_return erratic(caller);
    if (is_gone) co_return std::unexpected(Error{ErrorCode::store_unavailable, Side::self, ""});
    co_return co_await MemoryStore::read(caller, log, after, count);
  }
  /// Another log each time.
  Result<std::span<const Entry>> erratic(Caller caller) {
    const auto entries = caller.arena.make_list<Entry>(1);
    entries[0] = {caller.arena.copy(std::to_string(reads)), "x"};
    return std::span<const Entry>(entries);
  }
  bool is_erratic = false;
  bool is_said_to_be_shared = false;
  bool is_gone = false;
  int reads = 0;
  int appends = 0;
};

struct Bench : LoopBench {
  MoodyStore store{clock};
  Announcer announcer{loop, store.channels()};
  Names heard;
  Names ids;

  Bench() { announcer.use(store); }
  LogFollower::Subscription follow(std::string log = "news") {
    auto subscription = announcer.follow(std::move(log), {[this](const Entry& entry) {
                                                            heard.emplace_back(entry.value);
                                                            ids.emplace_back(entry.id);
                                                          },
                                                          [this] { heard.emplace_back("LOST"); }});
    settle();
    return subscription;
  }
  void append(std::string text, size_t most = 10'000) {
    announcer.append("news", std::move(text), most, "ALL");
    settle();
  }
  /// Past the announcer, and without a word.
  void append_silently(MemoryStore& to, std::string_view text, size_t most = 10'000) {
    BlockPool blocks{4096, 1};
    Arena arena(blocks);
    auto task = to.append({arena}, "news", text, most);
    REQUIRE(task.start());
    REQUIRE(task.take());
  }
  Names take_heard() { return std::exchange(heard, {}); }
};

Names numbers(int from, int to) {
  Names names;
  for (int i = from; i < to; ++i) names.push_back(std::to_string(i));
  return names;
}

}  // namespace

TEST_CASE("log follower: hears each entry once and in order, those from before it came, too") {
  Bench bench;
  bench.append("one");
  const auto following = bench.follow();
  CHECK(bench.heard == Names{"one"});
  bench.append("two");
  bench.append("three");
  CHECK(bench.heard == Names{"one", "two", "three"});
  CHECK(bench.ids == Names{"1", "2", "3"});
  const auto late = bench.follow();
  CHECK(bench.heard == Names{"one", "two", "three", "one", "two", "three"});
}

TEST_CASE("log follower: hears logs of any length, and no others") {
  Bench bench;
  for (const auto& number : numbers(0, 200)) bench.append(number);
  const auto following = bench.follow();
  const auto elsewhere = bench.follow("others");
  CHECK(bench.heard == numbers(0, 200));
  for (const auto& number : numbers(200, 328)) bench.announcer.append("news", number, 10'000, "ALL");
  bench.settle();
  CHECK(bench.heard == numbers(0, 328));
}

TEST_CASE("log follower: in this process' own store it doesn't look again and again") {
  Bench bench;
  const auto following = bench.follow();
  bench.append("one");
  const int reads = bench.store.reads;
  bench.pass(60s);
  CHECK(bench.store.reads == reads);
}

TEST_CASE("log follower: in a shared store it finds every second what no word was heard of") {
  Bench bench;
  bench.store.is_said_to_be_shared = true;
  const auto following = bench.follow();
  bench.append_silently(bench.store, "one");
  bench.append_silently(bench.store, "two");
  CHECK(bench.heard.empty());
  bench.advance(1010ms);
  CHECK(bench.heard == Names{"one", "two"});
  const int reads = bench.store.reads;
  bench.pass(10s, 500ms);
  CHECK(bench.store.reads >= reads + 6);
  CHECK(bench.store.reads <= reads + 10);
  CHECK(bench.heard == Names{"one", "two"});
}

TEST_CASE("log follower: what is said before there is a store, or while it is gone, is heard later and in order") {
  LoopBench loop;
  MoodyStore store{loop.clock};
  Announcer announcer{loop.loop, store.channels()};
  Names heard;
  const auto following =
      announcer.follow("news", {[&](const Entry& entry) { heard.emplace_back(entry.value); }, [] { FAIL("lost"); }});
  announcer.append("news", "one", 10, "ALL");
  loop.settle();
  announcer.use(store);
  loop.settle();
  CHECK(heard == Names{"one"});
  store.is_gone = true;
  announcer.append("news", "two", 10, "ALL");
  announcer.append("news", "three", 10, "ALL");
  loop.pass(5s);
  CHECK(heard == Names{"one"});
  store.is_gone = false;
  loop.pass(2s);
  CHECK(heard == Names{"one", "two", "three"});
}

TEST_CASE("log follower: looks again every second while the store is gone") {
  Bench bench;
  bench.append("one");
  bench.store.is_gone = true;
  const auto following = bench.follow();
  bench.pass(3s);
  CHECK(bench.heard.empty());
  bench.store.is_gone = false;
  bench.pass(2s);
  CHECK(bench.heard == Names{"one"});
}

TEST_CASE("log follower: is told when the log doesn't reach back to what it has heard") {
  Bench bench;
  const auto following = bench.follow();
  bench.append("one");
  bench.append("two");
  for (const auto& number : numbers(0, 3)) bench.append_silently(bench.store, number, 2);
  bench.append("last", 2);
  CHECK(bench.take_heard() == Names{"one", "two", "LOST", "2", "last"});
  bench.append("next", 2);
  CHECK(bench.take_heard() == Names{"next"});
}

TEST_CASE("log follower: a log that lost no more than what it has heard has lost nothing") {
  Bench bench;
  const auto following = bench.follow();
  for (const auto& number : numbers(0, 100)) bench.append(number, 2);
  CHECK(bench.take_heard() == numbers(0, 100));
  bench.append_silently(bench.store, "100", 2);
  bench.append("101", 3);
  CHECK(bench.take_heard() == numbers(100, 102));
}

TEST_CASE("log follower: another store's log is another one, even with the same ids") {
  for (const int entries : {0, 1, 2, 3}) {
    CAPTURE(entries);
    Bench bench;
    const auto following = bench.follow();
    bench.append("one");
    bench.append("two");
    MemoryStore another(bench.clock);
    for (const auto& number : numbers(0, entries)) bench.append_silently(another, number);
    bench.announcer.use(another);
    CHECK(bench.take_heard() == Names{"one", "two"});
    bench.settle();
    auto expected = numbers(0, entries);
    expected.insert(expected.begin(), "LOST");
    CHECK(bench.take_heard() == expected);
  }
}

TEST_CASE("log follower: a reload that keeps the store's contents loses and repeats nothing") {
  Bench bench;
  const auto following = bench.follow();
  bench.append("one");
  bench.announcer.append("news", "two", 10, "ALL");
  bench.announcer.use(bench.store);
  bench.announcer.use(bench.store);
  bench.settle();
  bench.append("three");
  CHECK(bench.heard == Names{"one", "two", "three"});
}

TEST_CASE("log follower: who has gone hears nothing, and nobody looks for it any more") {
  Bench bench;
  bench.store.is_said_to_be_shared = true;
  {
    const auto following = bench.follow();
    bench.announcer.append("news", "one", 10, "ALL");
  }
  bench.settle();
  bench.pass(2s);
  const int reads = bench.store.reads;
  bench.append("two");
  bench.pass(5s);
  CHECK(bench.heard.empty());
  CHECK(bench.store.reads == reads);
}

TEST_CASE("log follower: one that goes before it has begun never hears") {
  Bench bench;
  (void)bench.announcer.follow("news", {[](const Entry&) { FAIL("heard"); }, [] {}});
  bench.append("one");
}

TEST_CASE("log follower: entries that can't be told to a store for too long are replaced by one that stands for all") {
  Bench bench;
  constexpr int kMost = LogWriter::kMostOfLog;
  log::set_level(log::Level::error);
  bench.announcer.append("others", "of another log", 10, "ALL");
  bench.store.is_gone = true;
  for (const auto& number : numbers(0, kMost + 904)) bench.announcer.append("news", number, 10'000'000, "ALL");
  bench.settle();
  bench.store.is_gone = false;
  const auto following = bench.follow();
  bench.pass(2s, 10ms);
  auto expected = numbers(kMost + 1, kMost + 904);
  expected.insert(expected.begin(), "ALL");
  CHECK(bench.heard == expected);
  bench.heard.clear();
  const auto elsewhere = bench.follow("others");
  CHECK(bench.heard == Names{"of another log"});
}

TEST_CASE("log writer: what waits goes in a few calls, however much it is") {
  Bench bench;
  bench.store.is_gone = true;
  for (const auto& number : numbers(0, 5000)) bench.announcer.append("news", number, 10'000, "ALL");
  bench.settle();
  bench.store.is_gone = false;
  const int before = bench.store.appends;
  const auto following = bench.follow();
  bench.pass(2s, 10ms);
  CHECK(bench.heard == numbers(0, 5000));
  CHECK(bench.store.appends - before < 30);
}

TEST_CASE("log writer: the entry of one log never goes for those of others, though there are thousands of logs") {
  Bench bench;
  log::set_level(log::Level::error);
  bench.store.is_gone = true;
  for (int log = 0; log < 6000; ++log) bench.announcer.append("log" + std::to_string(log), "mark", 100, "ALL");
  for (int log = 0; log < 5; ++log) {
    for (const auto& number : numbers(0, 15'000))
      bench.announcer.append("flood" + std::to_string(log), number, 10'000'000, "ALL");
  }
  bench.announcer.append("late", "mark", 100, "ALL");
  bench.settle();
  bench.store.is_gone = false;
  bench.pass(5s, 10ms);
  for (const auto* log : {"log0", "log4999", "log5999", "late"}) {
    const auto following = bench.follow(log);
    CHECK(bench.take_heard() == Names{"mark"});
  }
}

TEST_CASE("log follower: thousands of them ask a few at a time, and not all of them every second") {
  struct SlowStore : MoodyStore {
    using MoodyStore::MoodyStore;
    Task<Result<std::span<const Entry>>> read(Caller caller, std::string_view log, std::string_view after,
                                              size_t count) override {
      most_at_once = std::max(most_at_once, ++at_once);
      co_await sleep_for(*loop, 1ms);
      --at_once;
      co_return co_await MoodyStore::read(caller, log, after, count);
    }
    Loop* loop = nullptr;
    int at_once = 0;
    int most_at_once = 0;
  };
  LoopBench bench;
  SlowStore store(bench.clock);
  store.loop = &bench.loop;
  store.is_said_to_be_shared = true;
  Announcer announcer(bench.loop, store.channels());
  announcer.use(store);
  int caught_up = 0;
  std::vector<LogFollower::Subscription> following;
  for (int i = 0; i < 2000; ++i) {
    following.push_back(announcer.follow(
        "log" + std::to_string(i), {.hear = [](const Entry&) {}, .lost = [] {}, .caught_up = [&] { ++caught_up; }}));
  }
  bench.pass(1s, 1ms);
  CHECK(caught_up >= 2000);
  CHECK(store.most_at_once <= 16);
  const int before = store.reads;
  bench.pass(8s, 1ms);
  CHECK(store.reads - before <= 5000);
  CHECK(store.reads - before >= 2000);
}

TEST_CASE("log follower: who hears is told whenever there is no more for now") {
  Bench bench;
  const auto following =
      bench.announcer.follow("news", {.hear = [&](const Entry& entry) { bench.heard.emplace_back(entry.value); },
                                      .lost = [] {},
                                      .caught_up = [&] { bench.heard.emplace_back("-"); }});
  bench.settle();
  CHECK(bench.take_heard() == Names{"-"});
  for (const auto& number : numbers(0, 100)) bench.announcer.append("news", number, 10'000, "ALL");
  bench.settle();
  std::erase(bench.heard, "-");
  CHECK(bench.take_heard() == numbers(0, 100));
  bench.append("last");
  CHECK(bench.take_heard() == Names{"last", "-"});
}

TEST_CASE("log follower: a store that has another log each time is asked a few times a second at most") {
  Bench bench;
  bench.store.is_said_to_be_shared = true;
  bench.store.is_erratic = true;
  const auto subscription = bench.follow();
  bench.store.reads = 0;
  bench.pass(10s, 100ms);
  CHECK(bench.store.reads > 5);
  CHECK(bench.store.reads < 60);
}
