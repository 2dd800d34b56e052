#include "contract/store/bench.h"

using namespace weir;
using namespace weir::store;
using namespace std::chrono_literals;
using State = Claim::State;

TEST_CASE_TEMPLATE("store: of two who claim a key, one gets it and the other waits", Bench, STORES) {
  Bench bench;
  CHECK(bench.claim("a").state == State::mine);
  bench.pass(4s);
  const Claim second = bench.claim("b");
  CHECK(second.state == State::running);
  CHECK(second.left == 6s);
}

TEST_CASE_TEMPLATE("store: a finished claim gives its result to whoever comes later", Bench, STORES) {
  Bench bench;
  bench.claim("a");
  CHECK(bench.wait(bench.store.complete(bench.caller(), "key", "a", "201 made", 1h)));
  const Claim later = bench.claim("b");
  CHECK(later.state == State::finished);
  CHECK(later.result == "201 made");
  bench.pass(1h);
  CHECK(bench.claim("b").state == State::mine);
}

TEST_CASE_TEMPLATE("store: a key that stands for something else is a conflict, running or finished", Bench, STORES) {
  Bench bench;
  bench.claim("a");
  CHECK(bench.claim("b", ClaimTerms::Lapsed::tell, "other").state == State::conflict);
  bench.wait(bench.store.complete(bench.caller(), "key", "a", "r", 1h));
  CHECK(bench.claim("b", ClaimTerms::Lapsed::tell, "other").state == State::conflict);
}

TEST_CASE_TEMPLATE("store: a released claim is free again", Bench, STORES) {
  Bench bench;
  bench.claim("a");
  CHECK(bench.wait(bench.store.release(bench.caller(), "key", "a")));
  CHECK(bench.claim("b").state == State::mine);
}

TEST_CASE_TEMPLATE("store: a lease that passed is told, or taken over on request", Bench, STORES) {
  Bench bench;
  bench.claim("a");
  bench.pass(10s);
  CHECK(bench.claim("b").state == State::lapsed);
  CHECK(bench.claim("b", ClaimTerms::Lapsed::take_over).state == State::mine);
}

TEST_CASE_TEMPLATE("store: a renewed lease goes on", Bench, STORES) {
  Bench bench;
  bench.claim("a");
  bench.pass(9s);
  CHECK(bench.wait(bench.store.renew(bench.caller(), "key", "a", 10s)));
  bench.pass(9s);
  CHECK(bench.claim("b").state == State::running);
}

TEST_CASE_TEMPLATE("store: whoever lost a claim can't renew, complete or release it", Bench, STORES) {
  Bench bench;
  bench.claim("a");
  bench.pass(10s);
  bench.claim("b", ClaimTerms::Lapsed::take_over);
  CHECK_FALSE(bench.wait(bench.store.renew(bench.caller(), "key", "a", 10s)));
  CHECK_FALSE(bench.wait(bench.store.complete(bench.caller(), "key", "a", "late", 1h)));
  CHECK_FALSE(bench.wait(bench.store.release(bench.caller(), "key", "a")));
  CHECK(bench.claim("c").state == State::running);
}

TEST_CASE_TEMPLATE("store: an unfinished claim is forgotten in the end", Bench, STORES) {
  Bench bench;
  bench.claim("a");
  bench.pass(60s);
  CHECK(bench.claim("b").state == State::mine);
}
