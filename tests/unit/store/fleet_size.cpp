#include "store/fleet_size.h"

#include <doctest/doctest.h>

#include <initializer_list>

using weir::store::FleetSize;

namespace {

/// One of a fleet that begins with nobody else.
struct Member {
  FleetSize fleet;
  uint32_t size = 1;
  uint32_t hears(uint32_t alive) { return size = fleet.heard(size, alive); }
};

}  // namespace

TEST_CASE("fleet size: more count at once, fewer after a round of beats") {
  Member member;
  CHECK(member.hears(3) == 3);
  for (int beat = 1; beat < FleetSize::kRound; ++beat) CHECK(member.hears(2) == 3);
  CHECK(member.hears(2) == 2);
}

TEST_CASE("fleet size: a store that begins empty again and again, for a beat each time, is no small fleet") {
  Member member;
  member.hears(3);
  for (int life = 0; life < 20; ++life) {
    CHECK(member.hears(1) == 3);
    member.fleet.missed();
  }
}

TEST_CASE("fleet size: all who are back in time break the round off") {
  Member member;
  member.hears(3);
  for (const uint32_t alive : {1, 2, 3, 1, 2, 2}) CHECK(member.hears(alive) == 3);
}
