#include "plugins/cache/storage/purges.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <string>
#include <vector>

using namespace weir::plugins;
using Kind = Purge::Kind;
using Force = Purge::Force;
using Verdict = Purges::Verdict;

namespace {

constexpr std::string_view kUrl = "https://example.com/news/today?page=2";

struct Bench {
  Purges purges{{}};

  Verdict judge(uint64_t since, std::string_view url = kUrl, std::vector<std::string> names = {"news", "front"}) {
    std::vector<uint64_t> tags;
    for (const auto& name : names) tags.push_back(Purges::hash_of_tag(name));
    std::ranges::sort(tags);
    return purges.judge(since, url, tags);
  }
  void give_others(int count) {
    for (int i = 0; i < count; ++i) purges.add({Kind::url, Force::hard, "https://other.com/" + std::to_string(i)});
  }
};

Purge url(std::string text, Force force = Force::hard) { return {Kind::url, force, std::move(text)}; }
Purge prefix(std::string text, Force force = Force::hard) { return {Kind::prefix, force, std::move(text)}; }
Purge tag(std::string text, Force force = Force::hard) { return {Kind::tag, force, std::move(text)}; }
Purge all(Force force = Force::hard) { return {Kind::all, force, ""}; }

}  // namespace

TEST_CASE("cache purges: what was stored before an order that means it is gone, what comes later stays") {
  for (const auto& purge : {url(std::string(kUrl)), prefix("https://example.com/"), prefix(std::string(kUrl)),
                            prefix("h"), tag("news"), tag("front"), all()}) {
    Bench bench;
    CHECK(bench.judge(0) == Verdict::keep);
    CHECK(bench.purges.add(purge) == 1);
    CHECK(bench.purges.newest() == 1);
    CHECK(bench.judge(0) == Verdict::gone);
    CHECK(bench.judge(1) == Verdict::keep);
  }
}

TEST_CASE("cache purges: orders about something else leave it alone") {
  Bench bench;
  for (const auto& purge :
       {url("https://example.com/news/today"), url("https://example.com/"),
        prefix("https://example.com/news/today?page=20"), prefix("https://example.org/"),
        prefix("https://example.com/news/today?page=1"), tag("new"), tag(std::string(kUrl)), url("news")})
    bench.purges.add(purge);
  CHECK(bench.judge(0) == Verdict::keep);
}

TEST_CASE("cache purges: a soft order makes it stale, and the harsher one counts, whichever came last") {
  Bench bench;
  bench.purges.add(tag("news", Force::soft));
  CHECK(bench.judge(0) == Verdict::stale);
  bench.purges.add(all());
  CHECK(bench.judge(0) == Verdict::gone);
  bench.purges.add(tag("news", Force::soft));
  bench.purges.add(prefix("https://", Force::soft));
  CHECK(bench.judge(0) == Verdict::gone);
  CHECK(bench.judge(2) == Verdict::stale);
}

TEST_CASE("cache purges: an order given again counts for what was stored since") {
  Bench bench;
  bench.purges.add(tag("news"));
  bench.purges.add(tag("sports"));
  CHECK(bench.judge(2) == Verdict::keep);
  CHECK(bench.purges.add(tag("news")) == 3);
  CHECK(bench.judge(2) == Verdict::gone);
  CHECK(bench.judge(3) == Verdict::keep);
}

TEST_CASE("cache purges: a storm of orders about URLs and tags harms next to nothing else") {
  Bench bench;
  bench.purges.add(tag("before"));
  for (int i = 0; i < 50'000; ++i) {
    bench.purges.add(url("https://other.com/" + std::to_string(i), i % 3 ? Force::hard : Force::soft));
    bench.purges.add(tag("other-" + std::to_string(i)));
  }
  int harmed = 0;
  for (int i = 0; i < 10'000; ++i) {
    harmed += bench.judge(0, "https://example.com/" + std::to_string(i), {std::to_string(i)}) != Verdict::keep;
  }
  CHECK(harmed < 500);
  CHECK(bench.judge(0, kUrl, {"before"}) == Verdict::gone);
  for (int i = 0; i < 50'000; ++i) {
    const auto verdict = bench.judge(0, "https://other.com/" + std::to_string(i), {});
    REQUIRE(verdict >= (i % 3 ? Verdict::gone : Verdict::stale));
    REQUIRE(bench.judge(0, kUrl, {"other-" + std::to_string(i)}) == Verdict::gone);
  }
}

TEST_CASE("cache purges: of orders without end none is missed, and what is looked up meanwhile stays") {
  Bench bench;
  bench.purges.add(url(std::string(kUrl)));
  uint64_t seen = 1;
  for (int i = 0; i < 500'000; ++i) {
    bench.purges.add(url("https://other.com/" + std::to_string(i)));
    if (i % 10'000 != 0) continue;
    REQUIRE(bench.judge(seen) == Verdict::keep);
    seen = bench.purges.newest();
  }
  CHECK(bench.judge(0) == Verdict::gone);
  for (int i = 0; i < 500'000; ++i) {
    REQUIRE(bench.judge(0, "https://other.com/" + std::to_string(i), {}) == Verdict::gone);
  }
}

TEST_CASE("cache purges: orders about all push nothing out, and neither do orders about URLs and tags") {
  Bench bench;
  bench.purges.add(prefix("https://example.com/"));
  for (int i = 0; i < 100'000; ++i) bench.purges.add(all(Force::soft));
  bench.give_others(100'000);
  CHECK(bench.judge(0) == Verdict::gone);
  CHECK(bench.judge(1, "https://other.org/", {}) == Verdict::stale);
}

TEST_CASE("cache purges: who has missed an order about a prefix that isn't kept any more is gone") {
  Bench bench;
  const auto give = [&](int from, int to) {
    for (int i = from; i < to; ++i) bench.purges.add(prefix("https://other.com/" + std::to_string(i)));
  };
  give(0, 4096);
  CHECK(bench.judge(0) == Verdict::keep);
  give(0, 4096);  // the same again: none is forgotten
  CHECK(bench.judge(0) == Verdict::keep);
  bench.purges.add(prefix("https://another.com/"));
  CHECK(bench.judge(4096) == Verdict::gone);
  CHECK(bench.judge(4097) == Verdict::keep);
}

TEST_CASE("cache purges: long prefixes are kept until they are a mebibyte") {
  Bench bench;
  const auto give = [&](int i) { bench.purges.add(prefix(std::to_string(i) + std::string(8185, 'x'))); };
  for (int i = 100; i < 228; ++i) give(i);
  CHECK(bench.judge(0) == Verdict::keep);
  give(228);
  CHECK(bench.judge(0) == Verdict::gone);
  CHECK(bench.judge(1) == Verdict::keep);
  give(228);
  CHECK(bench.judge(1) == Verdict::keep);
}

TEST_CASE(
    "cache purges: look-ups among many prefixes are quick, even where each has all but the last letter in common") {
  Bench bench;
  for (int i = 0; i < 100'000; ++i) bench.purges.add(prefix("https://example.com/" + std::to_string(i)));
  const auto began = std::chrono::steady_clock::now();
  const auto since = bench.purges.newest() - 4000;
  for (int i = 0; i < 10'000; ++i) (void)bench.judge(since, "https://example.com/news/" + std::to_string(i));
  for (int i = 0; i < 1000; ++i) bench.purges.add(prefix(std::string(static_cast<size_t>(i), 'b') + "a"));
  for (int i = 0; i < 100; ++i) (void)bench.judge(since, std::string(8192, 'b'));
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(20));
}

TEST_CASE("cache purges: an URL that is too long to tell is told as a digest") {
  const auto longer = "https://example.com/" + std::string(9000, 'x');
  for (const auto force : {Force::hard, Force::soft}) {
    const auto told = tellable(url(longer, force));
    CHECK(is_sound(told));
    CHECK(purge_of(to_text(told)) == told);
    Bench bench;
    bench.purges.add(told);
    CHECK(bench.judge(0, longer) == (force == Force::hard ? Verdict::gone : Verdict::stale));
    CHECK(bench.judge(0, longer + "x") == Verdict::keep);
  }
  CHECK(to_text(tellable(url(longer))) == to_text(tellable(url(longer))));
  CHECK(tellable(url("https://a/\x01")).kind == Kind::digest);
  CHECK(tellable(url("https://a/")) == url("https://a/"));
  CHECK(to_text(tellable(url(std::string(9000, 'x')))) == "hard digest cb6a1112ada2894d");
}

TEST_CASE("cache purges: prefixes within prefixes are found as by comparing with each") {
  std::mt19937 random(3);
  const auto text = [&] {
    std::string made;
    for (auto length = 1 + random() % 8; length > 0; --length) made += static_cast<char>('a' + random() % 2);
    return made;
  };
  for (int round = 0; round < 300; ++round) {
    Bench bench;
    std::vector<Purge> orders;
    for (auto count = random() % 12; count > 0; --count) {
      orders.push_back(prefix(text(), random() % 2 ? Force::hard : Force::soft));
      bench.purges.add(orders.back());
    }
    for (int i = 0; i < 20; ++i) {
      const auto asked = text();
      auto expected = Verdict::keep;
      for (const auto& order : orders) {
        if (asked.starts_with(order.text))
          expected = std::max(expected, order.force == Force::hard ? Verdict::gone : Verdict::stale);
      }
      REQUIRE(bench.judge(0, asked) == expected);
    }
  }
}

TEST_CASE("cache purges: orders of a log are known by their ids, each once") {
  Bench bench;
  CHECK(bench.purges.newest_id().empty());
  CHECK_FALSE(bench.purges.number_of(""));
  bench.purges.add(tag("news"), "7-0");
  bench.purges.add(tag("sports"));
  bench.purges.add(tag("news"), "9-0");
  bench.purges.add(tag("news"), "9-0");
  CHECK(bench.purges.newest() == 3);
  CHECK(bench.purges.newest_id() == "9-0 7-0");
  CHECK(bench.purges.number_of("7-0") == 1);
  CHECK(bench.purges.number_of("9-0") == 3);
  CHECK_FALSE(bench.purges.number_of(""));
  CHECK_FALSE(bench.purges.number_of("8-0"));
}

TEST_CASE("cache purges: one's own order, heard back from the log, is no new one") {
  Bench bench;
  const auto own = bench.purges.add_own(tag("news"));
  bench.purges.heard_own(own, "1-0");
  CHECK(bench.purges.newest() == own);
  CHECK(bench.purges.number_of("1-0") == own);
}

TEST_CASE("cache purges: what another made before it heard of one's own orders is held against them") {
  Bench bench;
  const auto first = bench.purges.add_own(tag("news"));
  const auto second = bench.purges.add_own(tag("sports"));
  bench.purges.add(tag("weather"), "2-0");
  CHECK(bench.judge(*bench.purges.number_of("2-0"), kUrl, {"news"}) == Verdict::gone);
  bench.purges.heard_own(first, "3-0");
  CHECK(bench.judge(*bench.purges.number_of("3-0"), kUrl, {"news"}) == Verdict::keep);
  CHECK(bench.judge(*bench.purges.number_of("3-0"), kUrl, {"sports"}) == Verdict::gone);
  bench.purges.heard_own(second, "4-0");
  CHECK(bench.judge(*bench.purges.number_of("4-0"), kUrl, {"news", "sports", "weather"}) == Verdict::keep);
}

TEST_CASE("cache purges: when the log has lost entries what was there is doubtful, and old ids are unknown") {
  Bench bench;
  bench.purges.add(tag("sports"), "7-0");
  const auto before = bench.purges.newest();
  bench.purges.lose_log(Purges::Missed::some);
  CHECK(bench.judge(before) == Verdict::doubtful);
  CHECK(bench.judge(bench.purges.newest()) == Verdict::keep);
  CHECK_FALSE(bench.purges.number_of("7-0"));
  CHECK_FALSE(bench.purges.number_of(""));
  CHECK(bench.purges.newest_id().empty());
  bench.purges.add(tag("sports"), "7-0");
  CHECK(bench.judge(*bench.purges.number_of("7-0")) == Verdict::keep);
}

TEST_CASE("cache purges: orders that are known count after the log was lost, too") {
  Bench bench;
  bench.purges.add(tag("news"), "1-0");
  bench.purges.add({Purge::Kind::prefix, Purge::Force::hard, std::string(kUrl)}, "2-0");
  bench.purges.lose_log(Purges::Missed::some);
  CHECK(bench.judge(0, "https://example.org/", {"news"}) == Verdict::gone);
  CHECK(bench.judge(0, kUrl, {"front"}) == Verdict::gone);
  CHECK(bench.judge(0, "https://example.org/", {"front"}) == Verdict::doubtful);
}

TEST_CASE("cache purges: a log that was lost without an order in it says nothing of what is stored") {
  Bench bench;
  bench.purges.add({Purge::Kind::url, Purge::Force::soft, "-"}, "1-0");
  bench.purges.lose_log(Purges::Missed::none);
  CHECK(bench.judge(0) == Verdict::keep);
  CHECK_FALSE(bench.purges.number_of("1-0"));
}

TEST_CASE("cache purges: an object whose id is of another log is doubtful, or purged since; without a log it is gone") {
  Bench bench;
  const auto judge = [&](std::string_view id, std::string_view name) {
    const auto hash = Purges::hash_of_tag(name);
    return bench.purges.judge(id, kUrl, std::span(&hash, 1));
  };
  CHECK(judge("old 1", "sports") == Verdict::gone);
  bench.purges.add(tag("news"), "1-0");
  CHECK(judge("old 1", "sports") == Verdict::doubtful);
  CHECK(judge("old 1", "news") == Verdict::gone);
  CHECK(judge("1-0", "news") == Verdict::keep);
}

TEST_CASE("cache purges: a log of which more was read at once than it keeps may have had more before") {
  Bench bench;
  for (size_t i = 1; i < Purges::kMostLogged; ++i) bench.purges.add(tag("other"), std::to_string(i - 1));
  CHECK(bench.judge(0) == Verdict::keep);
  bench.purges.add(tag("other"), "the last that is kept");
  CHECK(bench.judge(0) == Verdict::gone);
  CHECK(bench.judge(1) == Verdict::keep);
  CHECK(bench.purges.number_of("0") == 1);
}

TEST_CASE("cache purges: a log that was heard from its first entry on is known, however long it becomes") {
  Bench bench;
  bench.purges.add(tag("other"), "first");
  bench.purges.caught_up();
  for (int i = 0; i < 40'000; ++i) bench.purges.add(tag("other"), std::to_string(i));
  CHECK(bench.judge(0) == Verdict::keep);
}

TEST_CASE("cache purges: an object whose id isn't known any more is judged from the checkpoint that it names") {
  Bench bench;
  bench.purges.add(tag("first"), "first");
  bench.purges.caught_up();
  std::vector<std::string> carried;
  for (int i = 0; i < 100'000; ++i) {
    bench.purges.add(tag(std::to_string(i)), std::to_string(i) + "-0");
    carried.push_back(bench.purges.newest_id());
  }
  for (int i = 0; i < 100'000; i += 997) {
    const auto since = bench.purges.number_of(carried[static_cast<size_t>(i)]);
    REQUIRE(since);
    REQUIRE(*since <= static_cast<uint64_t>(i) + 2);
    REQUIRE(*since + 1000 > static_cast<uint64_t>(i));
    if (i + 1 < 100'000) REQUIRE(bench.judge(*since, kUrl, {std::to_string(i + 1)}) == Verdict::gone);
  }
  CHECK(bench.purges.number_of(carried.back()) == bench.purges.newest());
  const auto checkpoint = carried.back().substr(carried.back().find(' '));
  CHECK(bench.purges.number_of("not heard yet" + checkpoint) < bench.purges.newest());
  for (const auto* unknown : {"one another", "one ", "one", " "}) CHECK_FALSE(bench.purges.number_of(unknown));
}

TEST_CASE("cache purges: one order again and again pushes no others out") {
  Bench bench;
  bench.purges.add(tag("first"), "first");
  const auto stored = bench.purges.newest();
  for (int i = 0; i < 10'000; ++i) bench.purges.add(tag("other"), std::to_string(i));
  CHECK(bench.judge(stored) == Verdict::keep);
  CHECK(bench.judge(stored, kUrl, {"other"}) == Verdict::gone);
}

TEST_CASE("cache purges: many orders at random are kept as one by one they would be") {
  struct Given {
    uint64_t number;
    Purge purge;
  };
  std::mt19937 random(5);
  Bench bench;
  std::vector<Given> given;
  const auto name = [&] { return std::to_string(random() % 1000); };
  for (int i = 0; i < 20'000; ++i) {
    const Purge purge{random() % 2 ? Kind::tag : Kind::url, random() % 2 ? Force::hard : Force::soft, name()};
    std::erase_if(given, [&](const Given& other) { return other.purge == purge; });
    given.push_back({bench.purges.add(purge), purge});
    if (i % 10 != 0) continue;
    const auto asked = name();
    const auto tagged = name();
    const auto since = given.front().number - 1 + random() % (bench.purges.newest() - given.front().number + 2);
    auto expected = Verdict::keep;
    for (const auto& [number, order] : given) {
      if (number > since && order.text == (order.kind == Kind::tag ? tagged : asked))
        expected = std::max(expected, order.force == Force::hard ? Verdict::gone : Verdict::stale);
    }
    REQUIRE(bench.judge(since, asked, {tagged}) == expected);
  }
}

TEST_CASE("cache purges: an order reads as it was written") {
  for (const auto& purge : {url("https://example.com/a b?c=d"), prefix("https://x/", Force::soft), tag("a b c"),
                            tag("all"), tag(" "), all(), all(Force::soft)}) {
    CHECK(purge_of(to_text(purge)) == purge);
  }
  CHECK(to_text(tag("news", Force::soft)) == "soft tag news");
  CHECK(to_text(all()) == "hard all");
}

TEST_CASE("cache purges: texts that make no sense are no orders") {
  for (const std::string text :
       {"", " ", "hard", "hard ", "hard url", "hard url ", "soft tag", "all", "hard all x", "HARD all", "hard  all",
        "hard urls x", "firm tag x", "hard tag a\nb", "hard tag \x7f", " hard all", "hard digest 12",
        "hard digest 0123456789ABCDEF", "hard digest 0123456789abcdef0"}) {
    CAPTURE(text);
    CHECK_FALSE(purge_of(text));
  }
  CHECK_FALSE(purge_of(std::string("hard tag a\0b", 12)));
  CHECK(purge_of("hard tag " + std::string(8192, 'x')));
  CHECK_FALSE(purge_of("hard tag " + std::string(8193, 'x')));
}
