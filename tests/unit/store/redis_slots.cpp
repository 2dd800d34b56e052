#include "store/redis_slots.h"

#include <doctest/doctest.h>

using namespace weir;
using namespace weir::store;

namespace {

/// An answer to CLUSTER SLOTS.
struct SlotsAnswer {
  std::vector<std::vector<Reply>> storage;
  std::vector<Reply> ranges;

  SlotsAnswer() { storage.reserve(100); }
  const Reply& list(std::vector<Reply> items) {
    storage.push_back(std::move(items));
    ranges.push_back({.type = Reply::Type::list, .items = storage.back()});
    return ranges.back();
  }
  static Reply number(int64_t value) { return {.type = Reply::Type::integer, .integer = value}; }
  static Reply text(std::string_view value) { return {.type = Reply::Type::text, .text = value}; }
  Reply range(int64_t first, int64_t last, std::string_view host, int64_t port) {
    storage.push_back({text(host), number(port), text("id")});
    const Reply master{.type = Reply::Type::list, .items = storage.back()};
    storage.push_back({number(first), number(last), master});
    return {.type = Reply::Type::list, .items = storage.back()};
  }
};

}  // namespace

TEST_CASE("redis slots: the slot of a key is what Redis says it is") {
  CHECK(slot_of("123456789") == 12739);
  CHECK(slot_of("foo") == 12182);
  CHECK(slot_of("") == 0);
}

TEST_CASE("redis slots: only what is between the first braces decides, unless that is nothing") {
  CHECK(slot_of("a{foo}b") == slot_of("foo"));
  CHECK(slot_of("{foo}{bar}") == slot_of("foo"));
  CHECK(slot_of("foo{}{bar}") != slot_of("bar"));
  CHECK(slot_of("foo{bar") != slot_of("bar"));
  CHECK(slot_of("foo{{bar}}") == slot_of("{bar"));
}

TEST_CASE("redis slots: a map knows the owner of each slot") {
  SlotsAnswer answer;
  std::vector<Reply> ranges{answer.range(0, 100, "10.0.0.1", 7000), answer.range(102, 16383, "", 7001)};
  auto map = SlotMap::read({.type = Reply::Type::list, .items = ranges}, "10.0.0.9:6379");
  REQUIRE(map.has_value());
  CHECK(*map->owner(0) == "10.0.0.1:7000");
  CHECK(*map->owner(100) == "10.0.0.1:7000");
  CHECK(map->owner(101) == nullptr);
  CHECK(*map->owner(16383) == "10.0.0.9:7001");
  CHECK(map->nodes().size() == 2);
  map->move(101, "10.0.0.3:7002");
  CHECK(*map->owner(101) == "10.0.0.3:7002");
}

TEST_CASE("redis slots: an answer that makes no sense is no map") {
  SlotsAnswer answer;
  for (const Reply& range : {answer.range(0, 16384, "a", 1), answer.range(5, 4, "a", 1), answer.range(-1, 4, "a", 1),
                             answer.range(0, 1, "a", 0), answer.range(0, 1, "a", 70000), Reply{}}) {
    std::vector<Reply> ranges{range};
    CHECK_FALSE(SlotMap::read({.type = Reply::Type::list, .items = ranges}, "b:1").has_value());
  }
  CHECK_FALSE(SlotMap::read({}, "b:1").has_value());
}

TEST_CASE("redis slots: a map with slots of two owners, too many masters or no host for a name is none") {
  const auto is_map = [](std::vector<Reply> ranges) {
    return SlotMap::read({.type = Reply::Type::list, .items = ranges}, "b:1").has_value();
  };
  SlotsAnswer answer;
  CHECK_FALSE(is_map({answer.range(0, 16383, "a", 1), answer.range(0, 16383, "a", 2)}));
  for (const std::string& host :
       {std::string("a b"), std::string("a\r\nb"), std::string("a/b"), std::string("a\0b", 3)})
    CHECK_FALSE(is_map({answer.range(0, 1, host, 1)}));
  CHECK_FALSE(is_map({answer.range(0, 1, std::string(254, 'a'), 1)}));
  CHECK_FALSE(is_map({answer.range(0, 1, "a", -1)}));

  SlotsAnswer many;
  many.storage.reserve(40'000);
  std::vector<Reply> ranges;
  for (int64_t i = 0; i < 1001; ++i) ranges.push_back(many.range(i, i, "a", i + 1));
  CHECK_FALSE(is_map(ranges));
  ranges.pop_back();
  CHECK(is_map(ranges));
}

TEST_CASE("redis slots: redirections say where to go") {
  const auto moved = Redirection::read("MOVED 3999 127.0.0.1:6381", "10.0.0.9:1");
  REQUIRE(moved.has_value());
  CHECK(moved->kind == Redirection::Kind::moved);
  CHECK(moved->slot == 3999);
  CHECK(moved->node == "127.0.0.1:6381");
  CHECK(Redirection::read("ASK 1 ::1:6381", "10.0.0.9:1")->node == "[::1]:6381");
  CHECK(Redirection::read("MOVED 1 :6381", "10.0.0.9:1")->node == "10.0.0.9:6381");
  for (const auto* text : {"ERR x", "MOVED", "MOVED 1", "MOVED x 1:1", "MOVED 16384 a:1", "MOVED 1 a", "MOVED 1 a:x"}) {
    INFO(text);
    CHECK_FALSE(Redirection::read(text, "10.0.0.9:1").has_value());
  }
}
