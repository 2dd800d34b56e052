#include "upstream/connect_backoff.h"

#include <algorithm>

#include "unit/upstream/bench.h"

namespace weir::upstream {
namespace {

using namespace std::chrono_literals;

/// Two endpoints; connections to the first fail.
struct Pair : Bench {
  Pair() { with({endpoint("10.0.0.0:80"), endpoint("10.0.0.1:80")}); }
  EndpointState& first() { return *upstream->endpoints()->all()[0].state; }
  void fail(int times) {
    for (int i = 0; i < times; ++i) first().backoff.failed(loop.now());
  }
  /// How many of ten requests go there, that are all under way at once.
  int share() {
    held.clear();
    for (int i = 0; i < 10; ++i) held.push_back(lease());
    return static_cast<int>(std::ranges::count_if(held, [&](auto& lease) { return &lease.state() == &first(); }));
  }
  std::vector<EndpointLease> held;
};

}  // namespace

TEST_CASE("passive health: after three failures to connect an endpoint is left alone for a second") {
  Pair pair;
  pair.fail(2);
  CHECK(pair.share() == 5);
  pair.fail(1);
  CHECK(pair.share() == 0);
  pair.advance(999ms);
  CHECK(pair.share() == 0);
  pair.advance(1ms);
  CHECK(pair.share() == 1);  // the others wait for what this one finds
}

TEST_CASE("passive health: each pause is twice as long, up to thirty seconds, and one failure each makes it so") {
  Pair pair;
  pair.fail(100);
  for (const auto pause : {1s, 2s, 4s, 8s, 16s, 30s, 30s}) {
    CAPTURE(pause.count());
    pair.advance(pause - 1ms);
    CHECK(pair.share() == 0);
    pair.advance(1ms);
    CHECK(pair.share() == 1);
    pair.fail(100);
  }
}

TEST_CASE("passive health: one connection brings the endpoint back") {
  Pair pair;
  pair.fail(3);
  CHECK(pair.share() == 0);
  CHECK(pair.first().backoff.connected());
  CHECK_FALSE(pair.first().backoff.connected());
  CHECK(pair.share() == 5);
  pair.fail(2);
  CHECK(pair.share() == 5);
}

TEST_CASE("passive health: the last endpoint is never left alone") {
  Bench bench;
  bench.with({Bench::endpoint("10.0.0.0:80")});
  for (int i = 0; i < 10; ++i) bench.upstream->endpoints()->all()[0].state->backoff.failed(bench.loop.now());
  CHECK(bench.next() == "10.0.0.0:80");
  CHECK(bench.next() == "10.0.0.0:80");
}

TEST_CASE("passive health: a probe that ends without a result hands on to the next at once") {
  Pair pair;
  pair.fail(3);
  for (const auto pause : {1s, 2s, 4s, 8s, 16s}) {
    pair.advance(pause);
    CHECK(pair.share() == 1);
    pair.fail(1);
  }
  pair.advance(30s);
  CHECK(pair.share() == 1);  // its client leaves
  CHECK(pair.share() == 1);
  pair.fail(1);
  CHECK(pair.share() == 0);
}

TEST_CASE("passive health: a probe that is over hands on nothing") {
  Pair pair;
  pair.fail(3);
  pair.advance(1s);
  CHECK(pair.share() == 1);
  SUBCASE("it failed") {
    pair.fail(1);
    CHECK(pair.share() == 0);
    pair.advance(1999ms);
    CHECK(pair.share() == 0);
  }
  SUBCASE("it succeeded") {
    pair.first().backoff.connected();
    CHECK(pair.share() == 5);
  }
}

TEST_CASE(
    "passive health: an endpoint whose connections end without a byte is left alone, if it answers nobody for a "
    "second") {
  Pair pair;
  auto& backoff = pair.first().backoff;
  const auto end = [&] { return backoff.ended_unanswered(pair.loop.now()); };
  for (int i = 0; i < 50; ++i) CHECK_FALSE(end());
  pair.advance(999ms);
  CHECK_FALSE(end());
  CHECK(pair.share() == 5);
  pair.advance(1ms);
  SUBCASE("it answers nobody") {
    CHECK_FALSE(backoff.connected());  // which these ends begin with
    CHECK(end());
    CHECK(pair.share() == 0);
    CHECK_FALSE(backoff.connected());
    CHECK(pair.share() == 0);
  }
  SUBCASE("it answers somebody") {
    CHECK_FALSE(backoff.responded());
    for (int i = 0; i < 50; ++i) CHECK_FALSE(end());
    CHECK(pair.share() == 5);
  }
}

TEST_CASE("passive health: two ends without a byte are no row, however far apart") {
  Pair pair;
  CHECK_FALSE(pair.first().backoff.ended_unanswered(pair.loop.now()));
  pair.advance(60s);
  CHECK_FALSE(pair.first().backoff.ended_unanswered(pair.loop.now()));
  CHECK(pair.share() == 5);
}

TEST_CASE(
    "passive health: after such a pause all requests are let through for a second, and the next pause is longer") {
  Pair pair;
  auto& backoff = pair.first().backoff;
  for (int i = 0; i < 3; ++i) backoff.ended_unanswered(pair.loop.now());
  pair.advance(1s);
  CHECK(backoff.ended_unanswered(pair.loop.now()));
  for (const auto pause : {1s, 2s, 4s, 8s, 16s, 30s, 30s}) {
    CAPTURE(pause.count());
    pair.advance(pause - 1ms);
    CHECK(pair.share() == 0);
    pair.advance(1ms);
    for (int i = 0; i < 50; ++i) CHECK_FALSE(backoff.ended_unanswered(pair.loop.now()));
    pair.advance(999ms);
    CHECK(pair.share() == 5);
    pair.advance(1ms);
    CHECK_FALSE(backoff.ended_unanswered(pair.loop.now()));  // it is known to be left alone
  }
  CHECK(backoff.responded());
  CHECK(pair.share() == 5);
  CHECK_FALSE(backoff.responded());
}

}  // namespace weir::upstream
