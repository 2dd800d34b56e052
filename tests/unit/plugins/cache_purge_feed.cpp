#include "plugins/cache/purge_feed.h"

#include "base/log.h"
#include "store/memory_store.h"
#include "unit/loop_bench.h"

using namespace weir;
using namespace weir::plugins;
using namespace std::chrono_literals;
using Verdict = Purges::Verdict;

namespace {

/// May be gone for those who append.
struct MoodyStore : store::MemoryStore {
  using MemoryStore::MemoryStore;
  Task<Result<std::string_view>> append_all(store::Caller caller, std::string_view log,
                                            std::span<const std::string_view> values, size_t most) override {
    if (is_gone) co_return std::unexpected(Error{ErrorCode::store_unavailable, Side::self, ""});
    co_return co_await MemoryStore::append_all(caller, log, values, most);
  }
  bool is_gone = false;
};

/// Instances that have a store in common, each with a cache of the same name.
struct Fleet : LoopBench {
  Fleet() {
    log::set_level(log::Level::error);
    announcer.use(store);
  }

  MoodyStore store{clock};
  store::Announcer announcer{loop, store.channels()};

  std::unique_ptr<PurgeFeed> instance(std::string name = "pages") {
    auto feed = std::make_unique<PurgeFeed>(PurgeFeed::Settings{std::move(name), &announcer});
    settle();
    return feed;
  }
  void order(PurgeFeed& feed, std::string tag) {
    feed.order({Purge::Kind::tag, Purge::Force::hard, std::move(tag)});
    settle();
  }
  void append(std::string entry) {
    announcer.append("cache.pages.purges", std::move(entry), Purges::kMostLogged, "");
    settle();
  }
};

Verdict judge(const PurgeFeed& feed, uint64_t since, std::string_view tag) {
  const auto hash = Purges::hash_of_tag(tag);
  return feed.purges().judge(since, "https://example.com/", std::span(&hash, 1));
}

}  // namespace

TEST_CASE("cache purge feed: an order counts here at once, and then elsewhere") {
  Fleet fleet;
  const auto one = fleet.instance();
  const auto other = fleet.instance();
  CHECK(one->order({Purge::Kind::tag, Purge::Force::hard, "news"}) == 1);
  CHECK(judge(*one, 0, "news") == Verdict::gone);
  CHECK(judge(*other, 0, "news") == Verdict::keep);
  fleet.settle();
  CHECK(judge(*other, 0, "news") == Verdict::gone);
  CHECK(judge(*other, 0, "sports") == Verdict::keep);
  CHECK(one->purges().newest() == 1);
  CHECK(one->purges().newest_id() == other->purges().newest_id());
  CHECK(one->purges().number_of(one->purges().newest_id()) == 1);
}

TEST_CASE("cache purge feed: one that starts later knows the orders that there were") {
  Fleet fleet;
  const auto one = fleet.instance();
  fleet.order(*one, "news");
  fleet.order(*one, "sports");
  const auto late = fleet.instance();
  CHECK(late->purges().newest() == 3);  // with the mark that the first one has left in the empty log
  CHECK(judge(*late, 2, "news") == Verdict::keep);
  CHECK(judge(*late, 2, "sports") == Verdict::gone);
}

TEST_CASE("cache purge feed: orders of other caches are none of its business") {
  Fleet fleet;
  const auto one = fleet.instance();
  const auto other = fleet.instance("images");
  fleet.order(*one, "news");
  CHECK(other->purges().newest() == 0);
}

TEST_CASE("cache purge feed: an order that is given while the store is gone is heard elsewhere when it is back") {
  Fleet fleet;
  const auto one = fleet.instance();
  const auto other = fleet.instance();
  fleet.store.is_gone = true;
  fleet.order(*one, "news");
  fleet.pass(5s);
  CHECK(judge(*one, 0, "news") == Verdict::gone);
  CHECK(judge(*other, 0, "news") == Verdict::keep);
  fleet.store.is_gone = false;
  fleet.pass(2s);
  CHECK(judge(*other, 0, "news") == Verdict::gone);
}

TEST_CASE("cache purge feed: when the log is another one all is doubtful, and what comes after has an id to name") {
  Fleet fleet;
  const auto one = fleet.instance();
  const auto other = fleet.instance();
  fleet.order(*one, "news");
  const auto before = one->purges().newest();
  store::MemoryStore empty(fleet.clock);
  fleet.announcer.use(empty);
  fleet.settle();
  for (const auto* feed : {one.get(), other.get()}) {
    CHECK(judge(*feed, before, "sports") == Verdict::doubtful);
    CHECK(judge(*feed, 0, "news") == Verdict::gone);
    CHECK(feed->losses() == 1);
  }
  CHECK_FALSE(one->purges().number_of(""));
  // Each of them has left word: the news of it comes by the channels of the store that is used.
  fleet.pass(1s);
  fleet.announcer.use(empty);
  fleet.settle();
  CHECK(one->purges().newest_id() == "2 1");
  CHECK(other->purges().newest_id() == "2 1");
  CHECK(judge(*one, *one->purges().number_of("2 1"), "sports") == Verdict::keep);
}

TEST_CASE("cache purge feed: who loses the log tells those that may not have heard the orders in it") {
  Fleet fleet;
  const auto one = fleet.instance();
  store::MemoryStore apart(fleet.clock);
  store::Announcer distant(fleet.loop, apart.channels());
  distant.use(apart);
  PurgeFeed other({"pages", &distant});
  fleet.order(*one, "news");
  const auto before = other.purges().newest();
  store::MemoryStore empty(fleet.clock);
  for (int i = 0; i < 2; ++i) {
    fleet.announcer.use(empty);
    distant.use(empty);
    fleet.pass(1s);
  }
  CHECK(judge(other, before, "news") == Verdict::doubtful);
  CHECK(judge(other, other.purges().newest(), "news") == Verdict::keep);
}

TEST_CASE(
    "cache purge feed: a lost log is none of the business of a cache that never had an order, unless it is shared") {
  for (const bool is_shared : {false, true}) {
    Fleet fleet;
    const auto feed = fleet.instance();
    if (is_shared) feed->share();
    fleet.settle();
    const auto before = feed->purges().newest();
    store::MemoryStore empty(fleet.clock);
    fleet.announcer.use(empty);
    fleet.pass(2s);
    fleet.announcer.use(empty);  // whose channels bring the news
    fleet.settle();
    CHECK(judge(*feed, before, "sports") == (is_shared ? Verdict::doubtful : Verdict::keep));
    CHECK(feed->losses() == (is_shared ? 1 : 0));
    CHECK_FALSE(feed->purges().newest_id().empty());
    feed->order({Purge::Kind::tag, Purge::Force::hard, "sports"});
    CHECK(judge(*feed, before, "sports") == Verdict::gone);
  }
}

TEST_CASE("cache purge feed: entries that make no sense are left out, and what names their ids counts as gone") {
  Fleet fleet;
  const auto feed = fleet.instance();
  for (const auto* text : {"", " ", "x", "x 1", "x 1 ", "x y hard all", "x 1 harder all", "x 1 hard tag", "hard all"})
    fleet.append(text);
  CHECK(feed->purges().newest() == 0);
  CHECK_FALSE(feed->purges().number_of("4"));
  fleet.append("x 1 hard all");
  CHECK(feed->purges().newest() == 1);
  CHECK(feed->purges().newest_id() == "11 1");
}

TEST_CASE("cache purge feed: more orders than can wait for a store that is gone become one to forget all") {
  Fleet fleet;
  const auto one = fleet.instance();
  const auto other = fleet.instance();
  fleet.store.is_gone = true;
  for (size_t i = 0; i < store::LogWriter::kMostOfLog + 900; ++i)
    one->order({Purge::Kind::tag, Purge::Force::hard, std::to_string(i)});
  fleet.settle();
  CHECK(judge(*one, 0, "sports") == Verdict::keep);
  fleet.store.is_gone = false;
  fleet.pass(2s, 10ms);
  CHECK(judge(*other, 0, "sports") == Verdict::gone);
  CHECK(judge(*one, 0, "sports") == Verdict::keep);
  // All of them are heard by now: both mean the same by the id, and nothing made since is held against them.
  CHECK(one->purges().newest_id() == other->purges().newest_id());
  for (const auto* feed : {one.get(), other.get()})
    CHECK(feed->purges().number_of(feed->purges().newest_id()) == feed->purges().newest());
}

TEST_CASE("cache purge feed: thousands of orders that wait for a store that is gone are no order to forget all") {
  Fleet fleet;
  const auto one = fleet.instance();
  const auto other = fleet.instance();
  fleet.store.is_gone = true;
  for (int i = 0; i < 10'000; ++i) one->order({Purge::Kind::tag, Purge::Force::hard, std::to_string(i)});
  fleet.settle();
  fleet.store.is_gone = false;
  fleet.pass(3s, 10ms);
  CHECK(judge(*other, 0, "sports") == Verdict::keep);
  for (const auto* tag : {"0", "5000", "9999"}) CHECK(judge(*other, 0, tag) == Verdict::gone);
}

TEST_CASE("cache purge feed: an order about a URL of any length is obeyed elsewhere") {
  Fleet fleet;
  const auto one = fleet.instance();
  const auto other = fleet.instance();
  const auto longer = "https://example.com/" + std::string(20'000, 'x');
  one->order({Purge::Kind::url, Purge::Force::hard, longer});
  fleet.settle();
  for (const auto* feed : {one.get(), other.get()}) {
    CHECK(feed->purges().judge(0, longer, {}) == Verdict::gone);
    CHECK(feed->purges().judge(0, longer + "x", {}) == Verdict::keep);
  }
}

TEST_CASE("cache purge feed: thousands of orders spoil nothing else, in memory and in the store") {
  Fleet fleet;
  const auto one = fleet.instance();
  const auto other = fleet.instance();
  const auto before = one->purges().newest_id();
  CHECK(before == "1 1");  // the mark of an empty log
  for (int i = 0; i < 10'000; ++i) {
    one->order({Purge::Kind::url, Purge::Force::hard, "https://example.com/" + std::to_string(i)});
    if (i % 100 == 0) fleet.settle();
  }
  fleet.settle();
  for (const auto* feed : {one.get(), other.get()}) {
    CHECK(judge(*feed, 0, "sports") == Verdict::keep);
    const auto since = feed->purges().number_of(before);
    REQUIRE(since);
    CHECK(judge(*feed, *since, "sports") == Verdict::keep);
    CHECK(feed->purges().judge(*since, "https://example.com/1", {}) == Verdict::gone);
  }
}

TEST_CASE("cache purge feed: alone it tells nobody") {
  PurgeFeed feed({"pages"});
  CHECK(feed.order({Purge::Kind::all}) == 1);
  CHECK(judge(feed, 0, "news") == Verdict::gone);
}
