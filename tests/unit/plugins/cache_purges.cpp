#include "plugins/cache/storage/purges.h"

#include <doctest/doctest.h>

#include <algorithm>
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

TEST_CASE("cache purges: one that has missed forgotten orders is gone") {
  Bench bench;
  bench.purges.add(tag("other"));
  bench.give_others(4095);
  CHECK(bench.judge(0) == Verdict::keep);
  bench.give_others(4095);  // the same again: none is forgotten
  CHECK(bench.judge(0) == Verdict::keep);
  bench.purges.add(tag("another"));
  CHECK(bench.judge(0) == Verdict::gone);
  CHECK(bench.judge(1) == Verdict::keep);
}

TEST_CASE("cache purges: of an order that was given twice only the newer one is left when the older is forgotten") {
  Bench bench;
  bench.purges.add(tag("news", Force::soft));
  bench.purges.add(tag("news"));
  bench.give_others(4096);
  CHECK(bench.judge(1) == Verdict::gone);
  CHECK(bench.judge(2) == Verdict::keep);
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
  CHECK(bench.purges.number_of("") == 0);
  bench.purges.add(tag("news"), "7-0");
  bench.purges.add(tag("sports"));
  bench.purges.add(tag("news"), "9-0");
  bench.purges.add(tag("news"), "9-0");
  CHECK(bench.purges.newest() == 3);
  CHECK(bench.purges.newest_id() == "9-0");
  CHECK(bench.purges.number_of("7-0") == 1);
  CHECK(bench.purges.number_of("9-0") == 3);
  CHECK(bench.purges.number_of("") == 0);
  CHECK_FALSE(bench.purges.number_of("8-0"));
}

TEST_CASE("cache purges: one's own order, heard back from the log, is no new one unless others came between") {
  Bench bench;
  const auto own = bench.purges.add(tag("news"));
  bench.purges.add(tag("news"), "1-0", own);
  CHECK(bench.purges.newest() == own);
  CHECK(bench.purges.number_of("1-0") == own);

  const auto later = bench.purges.add(tag("news"));
  bench.purges.add(tag("sports"), "2-0");
  bench.purges.add(tag("news"), "3-0", later);
  CHECK(bench.judge(*bench.purges.number_of("2-0")) == Verdict::gone);
  CHECK(bench.judge(*bench.purges.number_of("3-0")) == Verdict::keep);
}

TEST_CASE("cache purges: when the log has lost entries all that was there is gone, and old ids are unknown") {
  Bench bench;
  bench.purges.add(tag("sports"), "7-0");
  const auto before = bench.purges.newest();
  bench.purges.forget_all();
  CHECK(bench.judge(before) == Verdict::gone);
  CHECK(bench.judge(bench.purges.newest()) == Verdict::keep);
  CHECK_FALSE(bench.purges.number_of("7-0"));
  CHECK_FALSE(bench.purges.number_of(""));
  CHECK(bench.purges.newest_id().empty());
  bench.purges.add(tag("sports"), "7-0");
  CHECK(bench.judge(*bench.purges.number_of("7-0")) == Verdict::keep);
}

TEST_CASE("cache purges: a log of which more was read than it keeps may have had more before") {
  Bench bench;
  for (int i = 0; i < 4095; ++i) bench.purges.add(tag("other"), std::to_string(i));
  CHECK(bench.purges.number_of("") == 0);
  bench.purges.add(tag("other"), "4095");
  CHECK_FALSE(bench.purges.number_of(""));
  CHECK(bench.judge(0) == Verdict::gone);
  CHECK(bench.judge(1) == Verdict::keep);
  CHECK(bench.purges.number_of("0") == 1);
  bench.purges.add(tag("other"), "4096");
  CHECK_FALSE(bench.purges.number_of("0"));
  CHECK(bench.purges.number_of("1") == 2);
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
  const auto name = [&] { return std::to_string(random() % 6000); };
  for (int i = 0; i < 20'000; ++i) {
    const Purge purge{random() % 2 ? Kind::tag : Kind::url, random() % 2 ? Force::hard : Force::soft, name()};
    std::erase_if(given, [&](const Given& other) { return other.purge == purge; });
    given.push_back({bench.purges.add(purge), purge});
    if (given.size() > Purges::kMost) given.erase(given.begin());
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
        "hard urls x", "firm tag x", "hard tag a\nb", "hard tag \x7f", " hard all"}) {
    CAPTURE(text);
    CHECK_FALSE(purge_of(text));
  }
  CHECK_FALSE(purge_of(std::string("hard tag a\0b", 12)));
  CHECK(purge_of("hard tag " + std::string(8192, 'x')));
  CHECK_FALSE(purge_of("hard tag " + std::string(8193, 'x')));
}
