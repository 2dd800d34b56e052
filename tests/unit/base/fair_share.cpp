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
