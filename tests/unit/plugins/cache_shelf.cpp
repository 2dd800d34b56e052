#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

#include "plugins/cache/storage/selection_forms.h"
#include "plugins/cache/storage/shelf.h"
#include "unit/growth.h"

namespace weir::plugins {
namespace {

using namespace std::chrono_literals;

struct Bench {
  BlockPool blocks{8 * 1024};
  Arena arena{blocks};
  explicit Bench(uint32_t max_variants = 4)
      : shelf({.max_size = 1 << 20, .max_object = 64 * 1024, .max_variants = max_variants}) {}
  Shelf shelf;
  Time now = Time(1h);

  http::Headers request(std::string_view name = {}, std::string_view value = {}) {
    http::Headers headers(arena);
    if (!name.empty()) headers.add(arena.copy(name), arena.copy(value));
    return headers;
  }
  std::shared_ptr<Object> object(std::string_view body, Duration age = 0s) {
    auto content = std::make_shared<Content>(body.size());
    content->charge_to(shelf.account());
    content->append(body);
    content->finish();
    http::ResponseHead head(arena);
    head.status = 200;
    return std::make_shared<Object>(head, Object::Terms{.born = now - age, .lifetime = 10s}, std::move(content),
                                    [](const http::Header&) { return false; });
  }
  /// A body on its way, of which so much has come.
  std::shared_ptr<Content> loose(size_t bytes) {
    auto content = std::make_shared<Content>(bytes);
    content->charge_to(shelf.account());
    content->append(std::string(bytes, 'x'));
    return content;
  }
  std::shared_ptr<Object> variant(std::string_view name, std::string_view value, Duration age = 0s) {
    auto made = object(value, age);
    made->selection.members.push_back({std::string(name), std::string(value), false});
    return made;
  }
  void put(std::string_view key, ObjectPtr object) {
    const auto fill = shelf.begin_alone(shelf.key_of(key), {.now = now});
    shelf.put(shelf.key_of(key), std::move(object), *fill);
    shelf.end(shelf.key_of(key), fill);
  }
  void settle(std::string_view key, const FillPtr& fill, ObjectPtr object) {
    shelf.settle(shelf.key_of(key), fill, {.kind = Fill::Outcome::Kind::object, .object = std::move(object)});
  }
  Shelf::Found find(std::string_view key, const http::Headers& headers) {
    return shelf.find(shelf.key_of(key), headers, arena, now);
  }
  Shelf::Joined join(std::string_view key, const http::Headers& headers, Time oldest = Time::min()) {
    return shelf.join(shelf.key_of(key), headers, arena, {.now = now, .oldest = oldest});
  }
};

}  // namespace

TEST_CASE("cache shelf: what was put under a key is found under it alone") {
  Bench bench;
  const auto object = bench.object("a");
  bench.put("k", object);
  CHECK(bench.find("k", bench.request()).object == object);
  CHECK_FALSE(bench.find("other", bench.request()).object);
  CHECK(bench.shelf.size().objects == 1);
}

TEST_CASE("cache shelf: a variant is found by the fields that it was chosen by (RFC 9111 section 4.1)") {
  Bench bench;
  const auto english = bench.variant("accept-language", "en");
  const auto french = bench.variant("accept-language", "fr");
  bench.put("k", english);
  bench.put("k", french);
  CHECK(bench.find("k", bench.request("Accept-Language", "en")).object == english);
  CHECK(bench.find("k", bench.request("Accept-Language", "fr")).object == french);
  const auto german = bench.find("k", bench.request("Accept-Language", "de"));
  CHECK_FALSE(german.object);
  CHECK(german.is_known);
}

TEST_CASE("cache shelf: of several that match, the most recent is taken (RFC 9111 section 4.1)") {
  Bench bench;
  const auto newer = bench.variant("a", "1");
  const auto older = bench.variant("b", "2", 5s);
  bench.put("k", newer);
  bench.put("k", older);
  auto request = bench.request("a", "1");
  request.add("b", "2");
  CHECK(bench.find("k", request).object == newer);
}

TEST_CASE("cache shelf: a request's long field is normalised once, however many variants and fills there are") {
  Bench bench;
  for (const auto* value : {"1", "2", "3", "4"}) bench.put("k", bench.variant("v", value));
  std::string list;  // takes a copy to be normalised
  while (list.size() < 30 * 1024) list += "a,";
  const auto request = bench.request("v", list);
  for (const auto* value : {"5", "6", "7", "8", "9"}) CHECK(bench.join("k", bench.request("v", value)).leads);
  const auto before = bench.arena.footprint();
  CHECK_FALSE(bench.find("k", request).object);
  CHECK(bench.join("k", request).leads);
  CHECK_FALSE(bench.join("k", request).leads);
  CHECK(bench.arena.footprint() - before <= 3 * 2 * list.size() + bench.blocks.block_size());
}

TEST_CASE("cache shelf: a variant is found by a value that another text stands for") {
  Bench bench;
  const auto both = bench.variant("accept-encoding", "br,gzip");
  bench.put("k", both);
  bench.put("k", bench.variant("accept-encoding", "gzip"));
  CHECK(bench.find("k", bench.request("Accept-Encoding", "gzip, br")).object == both);
}

TEST_CASE("cache shelf: a key has a bounded number of variants, of which the oldest goes") {
  Bench bench;
  for (const auto* value : {"1", "2", "3", "4", "5", "6"}) bench.put("k", bench.variant("v", value));
  CHECK(bench.shelf.size().objects == 4);
  CHECK_FALSE(bench.find("k", bench.request("v", "1")).object);
  CHECK(bench.find("k", bench.request("v", "6")).object);
}

TEST_CASE("cache shelf: one leads, the others join, until it is over") {
  Bench bench;
  const auto first = bench.join("k", bench.request());
  const auto second = bench.join("k", bench.request());
  CHECK(first.leads);
  CHECK_FALSE(second.leads);
  CHECK(second.fill == first.fill);
  bench.shelf.end(bench.shelf.key_of("k"), first.fill);
  CHECK(bench.join("k", bench.request()).leads);
}

TEST_CASE("cache shelf: who selects another variant than the fill brings begins one of its own") {
  Bench bench;
  const auto fill = bench.join("k", bench.request("accept-language", "en")).fill;
  bench.settle("k", fill, bench.variant("accept-language", "en"));
  CHECK(bench.join("k", bench.request("accept-language", "en")).fill == fill);
  const auto other = bench.join("k", bench.request("accept-language", "fr"));
  CHECK(other.leads);
  CHECK_FALSE(bench.join("k", bench.request("accept-language", "fr")).leads);
  CHECK(bench.join("k", bench.request("accept-language", "de")).leads);
}

TEST_CASE("cache shelf: who selects what a fill brings joins it, by whichever fields that is") {
  Bench bench;
  bench.put("k", bench.variant("a", "1"));
  auto first = bench.request("a", "2");
  first.add("b", "1");
  const auto fill = bench.join("k", first).fill;
  bench.settle("k", fill, bench.variant("b", "1"));
  auto other = bench.request("a", "3");
  other.add("b", "1");
  CHECK(bench.join("k", other).fill == fill);
  auto third = bench.request("a", "2");
  third.add("b", "2");
  CHECK(bench.join("k", third).leads);
}

TEST_CASE("cache shelf: of many fills of the same that can't be joined a request looks at a few") {
  CHECK(growth(500, [](size_t fills) {
          Bench bench;
          const auto key = bench.shelf.key_of("k");
          for (size_t i = 0; i < fills; ++i) {
            const auto joined =
                bench.shelf.join(key, bench.request(), bench.arena, {.now = bench.now, .is_particular = true});
            CHECK(joined.leads);
            bench.settle("k", joined.fill, bench.object("x"));
          }
        }) < kNearLinear);
}

TEST_CASE("cache shelf: many fills of one key cost as much as those of many keys") {
  CHECK(growth(500, [](size_t fills) {
          Bench bench;
          bench.put("k", bench.variant("v", "stored"));
          std::vector<Shelf::Joined> joined;
          for (size_t i = 0; i < fills; ++i) joined.push_back(bench.join("k", bench.request("v", std::to_string(i))));
          for (const auto& each : joined) CHECK(each.leads);
          CHECK_FALSE(bench.join("k", bench.request("v", "0")).leads);
          for (const auto& each : joined) bench.shelf.end(bench.shelf.key_of("k"), each.fill);
          CHECK(bench.join("k", bench.request("v", "0")).leads);
        }) < kNearLinear);
}

TEST_CASE("cache shelf: a lookup among a thousand variants costs little more than one among a few") {
  constexpr int kFields = 64;
  const auto request_of = [](Bench& bench, int variant) {
    http::Headers headers(bench.arena);
    for (int i = 0; i < kFields; ++i) {
      const bool is_last = i == kFields - 1;
      headers.add(bench.arena.copy("f" + std::to_string(10 + i)),
                  bench.arena.copy(is_last ? std::to_string(variant) : "the same"));
    }
    return headers;
  };
  const auto least_cost = [&](int variants) {
    Bench bench(1024);
    for (int variant = 0; variant < variants; ++variant) {
      auto object = bench.object("");
      for (const auto& header : request_of(bench, variant))
        object->selection.members.push_back({std::string(header.name), std::string(header.value), false});
      bench.put("k", std::move(object));
    }
    auto least = std::chrono::steady_clock::duration::max();
    for (int run = 0; run < 20; ++run) {
      const auto stored = request_of(bench, variants - 1);
      const auto other = request_of(bench, 100'000 + run);
      const auto begun = std::chrono::steady_clock::now();
      CHECK(bench.find("k", stored).object);
      CHECK(bench.join("k", other).leads);
      least = std::min(least, std::chrono::steady_clock::now() - begun);
    }
    return least;
  };
  CHECK(least_cost(700) < 10 * least_cost(2));
}

TEST_CASE("cache shelf: responses of one key are chosen by a bounded number of lists of fields, the oldest go") {
  Bench bench(1024);
  for (int i = 0; i < 40; ++i) bench.put("k", bench.variant("f" + std::to_string(i), "1"));
  CHECK(bench.shelf.size().objects == SelectionForms::kMost);
  CHECK(bench.find("k", bench.request("f39", "1")).object);
  CHECK_FALSE(bench.find("k", bench.request("f0", "1")).object);
}

TEST_CASE("cache shelf: a fill without an outcome for too long gets no more company") {
  Bench bench;
  const auto first = bench.join("k", bench.request());
  bench.now += 10s;
  CHECK(bench.join("k", bench.request(), bench.now - 5s).leads);
}

TEST_CASE("cache shelf: what is invalidated while it is on its way isn't kept (RFC 9111 section 4.4)") {
  Bench bench;
  const auto key = bench.shelf.key_of("k");
  const auto fill = bench.join("k", bench.request()).fill;
  CHECK(bench.shelf.invalidate(key));
  bench.shelf.put(key, bench.object("old"), *fill);
  CHECK_FALSE(bench.find("k", bench.request()).object);
  CHECK(bench.join("k", bench.request()).leads);
}

TEST_CASE("cache shelf: the uncacheable is remembered for its time, and forgotten when it turns out otherwise") {
  Bench bench;
  bench.shelf.remember_uncacheable(bench.shelf.key_of("k"), bench.now + 10s);
  CHECK(bench.find("k", bench.request()).is_uncacheable);
  bench.now += 11s;
  CHECK_FALSE(bench.find("k", bench.request()).is_uncacheable);
  bench.shelf.remember_uncacheable(bench.shelf.key_of("k"), bench.now + 10s);
  bench.put("k", bench.object("a"));
  CHECK_FALSE(bench.find("k", bench.request()).is_uncacheable);
}

TEST_CASE("cache shelf: a flood of keys stays within its bytes, and is counted when it goes") {
  Bench bench;
  const std::string body(2000, 'x');
  for (int i = 0; i < 2000; ++i) bench.put("https://example.com/" + std::to_string(i), bench.object(body));
  CHECK(bench.shelf.size().bytes <= 1 << 20);
  CHECK(bench.shelf.size().bytes >= (1 << 20) * 8 / 10);
  CHECK(bench.shelf.size().evictions > 1000);
  CHECK(bench.shelf.size().evictions + bench.shelf.size().objects == 2000);
}

TEST_CASE("cache shelf: what is on its way takes room from what is stored") {
  Bench bench;
  const std::string body(2000, 'x');
  const auto coming = bench.loose(200 * 1024);
  for (int i = 0; i < 2000; ++i) bench.put("https://example.com/" + std::to_string(i), bench.object(body));
  CHECK(bench.shelf.size().bytes <= (1 << 20) - 200 * 1024);
  CHECK(bench.shelf.make_room(Time{}));
}

TEST_CASE("cache shelf: more than a quarter isn't on its way at a time, to be kept") {
  Bench bench;
  auto first = bench.loose(200 * 1024);
  auto second = bench.loose(100 * 1024);
  CHECK(bench.shelf.is_tight());
  CHECK_FALSE(bench.shelf.make_room(Time{}));
  first.reset();
  CHECK(bench.shelf.make_room(Time{}));
}

TEST_CASE("cache shelf: what grows makes the rest go, also where nothing is put") {
  Bench bench;
  const std::string body(2000, 'x');
  for (int i = 0; i < 2000; ++i) bench.put("https://example.com/" + std::to_string(i), bench.object(body));
  const auto coming = bench.loose(200 * 1024);
  CHECK(bench.shelf.account()->total() > 1 << 20);
  CHECK(bench.shelf.make_room(Time{}));
  CHECK(bench.shelf.account()->total() <= 1 << 20);
}

TEST_CASE("cache shelf: what was evicted counts for as long as somebody reads it") {
  Bench bench;
  const Account& account = *bench.shelf.account();
  const std::string body(50'000, 'x');
  std::vector<ObjectPtr> read;
  for (int i = 0; i < 40 && bench.shelf.make_room(Time{}); ++i) {
    read.push_back(bench.object(body));
    bench.put("https://example.com/" + std::to_string(i), read.back());
  }
  CHECK(bench.shelf.is_tight());
  CHECK(account.total() <= 1.1 * (1 << 20));
  CHECK(account.total() >= static_cast<int64_t>(read.size() * body.size()));
  read.clear();
  CHECK(account.loose == 0);
  CHECK(bench.shelf.make_room(Time{}));
}

TEST_CASE("cache shelf: a body that a renewed response shares counts once") {
  Bench bench;
  const Account& account = *bench.shelf.account();
  const auto old = bench.object(std::string(50'000, 'x'));
  bench.put("k", old);
  http::ResponseHead head(bench.arena);
  head.status = 200;
  const auto renewed = std::make_shared<Object>(head, Object::Terms{.born = bench.now}, old->content,
                                                [](const http::Header&) { return false; });
  bench.put("k", renewed);
  CHECK(account.loose == 0);
  CHECK(account.kept < 60'000);
  bench.shelf.invalidate(bench.shelf.key_of("k"));
  CHECK(account.kept == 0);
  CHECK(account.loose == 50'000);
}

TEST_CASE("cache shelf: what is evicted unread leaves nothing behind on the account") {
  Bench bench;
  for (int i = 0; i < 100; ++i)
    bench.put("https://example.com/" + std::to_string(i), bench.object(std::string(30'000, 'x')));
  CHECK(bench.shelf.account()->loose == 0);
  CHECK(bench.shelf.account()->kept == static_cast<int64_t>(bench.shelf.size().bytes));
}

TEST_CASE("cache shelf: a fill is abandoned only when nobody attends it, and isn't joined then") {
  Bench bench;
  const auto key = bench.shelf.key_of("k");
  auto first = bench.join("k", bench.request());
  const auto fill = first.fill;
  {
    const auto second = bench.join("k", bench.request());
    first = {};
    CHECK_FALSE(bench.shelf.abandon(key, fill));
  }
  CHECK(bench.shelf.abandon(key, fill));
  CHECK(bench.join("k", bench.request()).leads);
}

}  // namespace weir::plugins
