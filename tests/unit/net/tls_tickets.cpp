#include "net/tls_tickets.h"

#include <doctest/doctest.h>

namespace weir::net {

using namespace std::chrono_literals;

TEST_CASE("ticket keys: the same key for twelve hours, then another") {
  ManualClock clock;
  TicketKeys keys(clock);
  const auto first = keys.current();
  clock.advance(11h);
  CHECK(keys.current().name == first.name);
  clock.advance(2h);
  CHECK(keys.current().name != first.name);
}

TEST_CASE("ticket keys: one that was replaced still opens, but is to be sealed anew") {
  ManualClock clock;
  TicketKeys keys(clock);
  const auto first = keys.current();
  CHECK(keys.find(first.name.data())->is_current);
  clock.advance(13h);
  const auto found = keys.find(first.name.data());
  REQUIRE(found.has_value());
  CHECK_FALSE(found->is_current);
  CHECK(found->key.cipher == first.cipher);
}

TEST_CASE("ticket keys: after a day a key opens nothing, even when nobody asked meanwhile") {
  ManualClock clock;
  TicketKeys keys(clock);
  const auto first = keys.current();
  clock.advance(25h);
  CHECK_FALSE(keys.find(first.name.data()).has_value());
}

TEST_CASE("ticket keys: after a day a key opens nothing, also while the one that replaced it is still in use") {
  ManualClock clock;
  TicketKeys keys(clock);
  const auto first = keys.current();
  clock.advance(13h);
  const auto second = keys.current();
  REQUIRE(second.name != first.name);
  clock.advance(10h + 59min);
  CHECK(keys.find(first.name.data()).has_value());
  clock.advance(1min);
  CHECK_FALSE(keys.find(first.name.data()).has_value());
  CHECK(keys.find(second.name.data())->is_current);
}

TEST_CASE("ticket keys: a stranger's name opens nothing") {
  ManualClock clock;
  TicketKeys keys(clock);
  CHECK_FALSE(keys.find(reinterpret_cast<const unsigned char*>("sixteen letters!")).has_value());
}

}  // namespace weir::net
