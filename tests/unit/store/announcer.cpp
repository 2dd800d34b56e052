#include "store/announcer.h"

#include "store/memory_store.h"
#include "unit/loop_bench.h"

using namespace weir;
using namespace weir::store;
using namespace std::chrono_literals;

namespace {

/// Doesn't know what it keeps while it is gone.
struct MoodyStore : MemoryStore {
  using MemoryStore::MemoryStore;
  Task<Result<std::optional<std::string_view>>> get(Caller caller, std::string_view key, size_t most) override {
    ++asked;
    if (is_gone) co_return std::unexpected(Error{ErrorCode::store_unavailable, Side::self, ""});
    co_return co_await MemoryStore::get(caller, key, most);
  }
  bool is_gone = false;
  int asked = 0;
};

struct Bench : LoopBench {
  MoodyStore store{clock};
  Announcer announcer{loop, store.channels()};
  Names heard;

  Channels::Subscription listen(std::string channel = "news") {
    auto subscription =
        announcer.listen(std::move(channel), [this](std::string_view text) { heard.emplace_back(text); });
    settle();
    return subscription;
  }
  void publish(std::string text) {
    announcer.publish("news", std::move(text));
    settle();
  }
};

}  // namespace

TEST_CASE("announcer: says on its loop what anybody asks it to, to those who listen just then") {
  Bench bench;
  bench.announcer.use(bench.store);
  {
    const auto listening = bench.listen();
    const auto elsewhere = bench.listen("others");
    bench.announcer.publish("news", "one");
    CHECK(bench.heard.empty());
    bench.settle();
    CHECK(bench.heard == Names{"one"});
  }
  bench.publish("two");
  CHECK(bench.heard == Names{"one"});
}

TEST_CASE("announcer: who comes late hears what was put under the channel's name, for as long as it is kept") {
  Bench bench;
  bench.announcer.use(bench.store);
  bench.announcer.put("news", "kept", 10s);
  bench.settle();
  const auto late = bench.listen();
  CHECK(bench.heard == Names{"kept"});
  bench.advance(11s);
  const auto later = bench.listen();
  CHECK(bench.heard == Names{"kept"});
}

TEST_CASE("announcer: what is said before there is a store waits for it") {
  Bench bench;
  const auto listening = bench.listen();
  bench.publish("one");
  CHECK(bench.heard.empty());
  bench.announcer.use(bench.store);
  bench.settle();
  CHECK(bench.heard == Names{"one"});
}

TEST_CASE("announcer: a store that is gone when somebody begins to listen is asked again, five times in all") {
  for (const bool comes_back : {true, false}) {
    Bench bench;
    bench.announcer.use(bench.store);
    bench.announcer.put("news", "kept", 60s);
    bench.store.is_gone = true;
    const auto listening = bench.listen();
    bench.advance(1s);
    CHECK(bench.store.asked == 2);
    bench.store.is_gone = !comes_back;
    bench.pass(20s);
    CHECK(bench.heard == (comes_back ? Names{"kept"} : Names{}));
    CHECK(bench.store.asked == (comes_back ? 3 : 5));
  }
}

TEST_CASE("announcer: calls to a store that another takes the place of are given up") {
  Bench bench;
  bench.store.is_gone = true;
  bench.announcer.use(bench.store);
  const auto listening = bench.listen();
  MemoryStore another(bench.clock);
  bench.announcer.use(another);
  bench.pass(10s);
  CHECK(bench.store.asked == 1);
}
