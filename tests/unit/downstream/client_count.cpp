#include "downstream/client_count.h"

#include <doctest/doctest.h>

namespace weir::downstream {
namespace {

const auto kOne = *net::Address::parse_ip("10.0.0.1", 1111);
const auto kSameElsewhere = *net::Address::parse_ip("10.0.0.1", 2222);
const auto kOther = *net::Address::parse_ip("2001:db8::1", 1111);

}  // namespace

TEST_CASE("client count: counts by address, whatever the port") {
  ClientCount count;
  CHECK(count.add(kOne, true).of_client == 1);
  CHECK(count.add(kSameElsewhere, true).of_client == 2);
  const auto third = count.add(kOther, true);
  CHECK(third.of_client == 1);
  CHECK(third.all == 3);
}

TEST_CASE("client count: a client of IPv6 has its whole /64") {
  ClientCount count;
  count.add(kOther, true);
  CHECK(count.add(*net::Address::parse_ip("2001:db8::ffff:1:2", 1), true).of_client == 2);
  CHECK(count.add(*net::Address::parse_ip("2001:db8:0:1::1", 1), true).of_client == 1);
  count.add(kOne, true);
  CHECK(count.add(*net::Address::parse_ip("::ffff:10.0.0.1", 1), true).of_client == 2);
  count.remove(*net::Address::parse_ip("2001:db8::3", 1), true);
  CHECK(count.add(kOther, true).of_client == 2);
}

TEST_CASE("client count: what goes is counted no more") {
  ClientCount count;
  count.add(kOne, true);
  count.add(kOne, true);
  count.remove(kOne, true);
  CHECK(count.add(kSameElsewhere, true).of_client == 2);
  count.remove(kOne, true);
  count.remove(kOne, true);
  CHECK(count.all() == 0);
  CHECK(count.add(kOne, true).of_client == 1);
}

TEST_CASE("client count: without a limit by client only the sum is kept") {
  ClientCount count;
  const auto first = count.add(kOne, false);
  CHECK(first.of_client == 0);
  CHECK(first.all == 1);
  count.remove(kOne, false);
  CHECK(count.all() == 0);
}

TEST_CASE("client count: one from before the limit by client takes nobody else's place when it goes") {
  ClientCount count;
  count.add(kSameElsewhere, false);
  count.add(kOne, true);
  count.remove(kSameElsewhere, false);
  CHECK(count.all() == 1);
  CHECK(count.add(kOne, true).of_client == 2);
}

TEST_CASE("client count: peers of a unix socket have no address to be counted by") {
  ClientCount count;
  const auto local = net::Address::unix_path("/run/x.sock");
  CHECK(count.add(local, true).of_client == 0);
  count.remove(local, true);
  CHECK(count.all() == 0);
}

}  // namespace weir::downstream
