#include "base/fair_share.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace weir;

namespace {

/// Places of a room, by whom they were taken.
struct Room {
  FairShare share;
  std::vector<FairShare::Place> places;

  /// How many more places `key` gets in a room of so many.
  int fill(const std::string& key, int64_t room) {
    int count = 0;
    while (auto place = share.enter(key, room)) {
      places.push_back(std::move(place));
      ++count;
    }
    return count;
  }
};

}  // namespace

TEST_CASE("fair share: one key fills half of a room, and others find places") {
  Room room;
  CHECK(room.fill("greedy", 100) == 50);
  for (int i = 0; i < 20; ++i) CHECK(room.share.enter("modest " + std::to_string(i), 100));
  CHECK(room.fill("second", 100) == 25);
  CHECK(room.share.enter("modest", 100));
  CHECK(room.share.taken() == 75);
}

TEST_CASE("fair share: all /64s of an IPv6 /48 together get no more than two clients") {
  const auto network = [](int number) { return "2001:db8:1:" + std::to_string(number) + "::/64"; };
  Room room;
  int taken = 0;
  for (int i = 0; i < 500; ++i) taken += room.fill(network(i), 90);
  CHECK(taken == 60);
  CHECK(room.fill("2001:db8:2:1::/64", 90) == 15);
  CHECK(room.fill("192.0.2.1", 90) == 8);
  room.places.clear();
  CHECK(room.share.taken() == 0);
  CHECK(room.fill(network(0), 90) == 45);  // alone a /64 is one client

  Room small;
  CHECK(small.fill(network(0), 3) == 2);
  CHECK(small.fill(network(1), 3) == 0);
  CHECK(small.fill("2001:db8:2:1::/64", 3) == 1);

  Room endless;
  endless.places.push_back(endless.share.enter(network(0), INT64_MAX));
  CHECK(endless.places.back().grow(1000, INT64_MAX));
}

TEST_CASE("fair share: beside a full room two of an IPv6 /48's clients get a place, and others do") {
  FairShare share;
  std::vector<FairShare::Place> places;
  int taken = 0;
  const auto enter = [&](const std::string& key) {
    auto place = share.enter_or_beside(key, 3, 8);
    const bool is_taken = static_cast<bool>(place);
    places.push_back(std::move(place));
    return is_taken;
  };
  for (int i = 0; i < 100; ++i) taken += enter("2001:db8:1:" + std::to_string(i) + "::/64");
  CHECK(taken == 3);
  for (int i = 0; i < 8; ++i) CHECK(enter("10.0.0." + std::to_string(i)));
  places.clear();
  CHECK(share.taken() == 0);
}

TEST_CASE("fair share: a place of a /48 grows within its share, and all of it is given back") {
  FairShare share;
  auto one = share.enter("2001:db8:1:1::/64", 100);
  auto two = share.enter("2001:db8:1:2::/64", 100);
  auto three = share.enter("2001:db8:1:3::/64", 100);
  CHECK(one.grow(25, 100));
  CHECK(two.grow(20, 100));
  CHECK_FALSE(three.grow(25, 100));
  CHECK(three.grow(5, 100));
  one.leave();
  two.leave();
  three.leave();
  CHECK(share.taken() == 0);
  CHECK(share.enter("2001:db8:1:1::/64", 2));
}

TEST_CASE("fair share: the smallest rooms have one place, for whoever comes first") {
  Room room;
  CHECK(room.fill("a", 1) == 1);
  CHECK_FALSE(room.share.enter("b", 1));
  room.places.clear();
  CHECK(room.fill("b", 2) == 1);
  CHECK(room.fill("a", 2) == 1);
  CHECK_FALSE(room.share.enter("c", 2));
  CHECK_FALSE(room.share.enter("c", 0));
}

TEST_CASE("fair share: a place that is given back is free, and a moved one is given back once") {
  FairShare share;
  {
    auto first = share.enter("a", 4);
    FairShare::Place second = std::move(first);
    CHECK_FALSE(first);
    CHECK(second);
    first = share.enter("a", 4);
    CHECK(first);
    CHECK_FALSE(share.enter("a", 4));
    first.leave();
    first.leave();
    CHECK(share.taken() == 1);
  }
  CHECK(share.taken() == 0);
  CHECK(Room().fill("a", 4) == 2);
}

TEST_CASE("fair share: a place of several keys counts once, and then for the first and the one that matters") {
  FairShare share;
  std::vector<FairShare::Place> places;
  for (int i = 0; i < 3; ++i) {
    auto place = share.enter("network " + std::to_string(i), 8);
    place.count_for("client");
    place.count_for("path");
    REQUIRE(place);
    place.keep_only(1);
    places.push_back(std::move(place));
  }
  CHECK(share.taken() == 3);
  auto other = share.enter("other", 8);
  other.count_for("path");
  CHECK(other);
  other.count_for("client");
  CHECK(other);
  auto greedy = share.enter("new", 8);
  greedy.count_for("client");
  CHECK_FALSE(greedy);
  CHECK(share.taken() == 4);
}

TEST_CASE("fair share: a place that grows takes no more than its key's share, and all of it is given back") {
  FairShare share;
  {
    auto greedy = share.enter("greedy", 100);
    CHECK(greedy.grow(49, 100));
    CHECK_FALSE(greedy.grow(1, 100));
    CHECK(share.taken() == 50);
    auto second = share.enter("second", 100);
    CHECK_FALSE(second.grow(25, 100));
    CHECK(second.grow(24, 100));
    CHECK(share.enter("modest", 100));
    const FairShare::Place moved = std::move(greedy);
    CHECK(share.taken() == 75);
  }
  CHECK(share.taken() == 0);
  CHECK(share.enter("greedy", 1));
}
