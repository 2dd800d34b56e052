#include "unit/upstream/bench.h"

namespace weir::upstream {
namespace {

using namespace std::chrono_literals;

}  // namespace

TEST_CASE("upstream: six requests reach each of three endpoints exactly twice") {
  Bench bench;
  bench.with({Bench::endpoint("10.0.0.1:80"), Bench::endpoint("10.0.0.2:80"), Bench::endpoint("unix:/run/a.sock")});
  std::map<std::string, int> reached;
  for (int i = 0; i < 6; ++i) ++reached[bench.next()];
  CHECK(reached == std::map<std::string, int>{{"10.0.0.1:80", 2}, {"10.0.0.2:80", 2}, {"unix:/run/a.sock", 2}});
}

TEST_CASE("upstream: round robin goes on over a reload") {
  Bench bench;
  const std::vector both{Bench::endpoint("10.0.0.1:80"), Bench::endpoint("10.0.0.2:80")};
  bench.with(both);
  CHECK(bench.next() == "10.0.0.1:80");
  bench.with(both);
  CHECK(bench.next() == "10.0.0.2:80");
}

TEST_CASE("upstream: an endpoint's state outlives a reload") {
  Bench bench;
  bench.with({Bench::endpoint("10.0.0.1:80")});
  const auto held = bench.lease();
  bench.with({Bench::endpoint("10.0.0.2:80"), Bench::endpoint("10.0.0.1:80")});
  CHECK(bench.upstream->endpoints()->all()[1].state->active == 1);
}

TEST_CASE("upstream: an endpoint that joins starts slowly, one that was there from the start doesn't") {
  Bench bench;
  bench.with({Bench::endpoint("10.0.0.1:80")});
  bench.with({Bench::endpoint("10.0.0.1:80"), Bench::endpoint("10.0.0.2:80")});
  const auto set = bench.upstream->endpoints();
  CHECK(set->all()[0].state->up_since.load() == Time::min());
  CHECK(set->all()[1].state->up_since.load() == bench.loop.now());
}

TEST_CASE("upstream: a lease counts while it lives, and moves") {
  Bench bench;
  bench.with({Bench::endpoint("10.0.0.1:80")});
  auto& state = *bench.upstream->endpoints()->all()[0].state;
  {
    EndpointLease first = bench.lease();
    EndpointLease second = std::move(first);
    CHECK(state.active == 1);
    second = EndpointLease();
    CHECK(state.active == 0);
  }
  CHECK(state.active == 0);
  CHECK(state.requests == 1);
}

TEST_CASE("upstream: who wants an endpoint that has had no attempt gets no other") {
  Bench bench;
  bench.with({Bench::endpoint("10.0.0.1:80"), Bench::endpoint("10.0.0.2:80")});
  bench.exchange.destination.is_only_untried = true;
  const auto first = bench.lease();
  bench.tried(first);
  const auto second = bench.lease();
  CHECK(&second.state() != &first.state());
  bench.tried(second);
  const auto third = bench.upstream->try_acquire(bench.exchange);
  REQUIRE(third.has_value());
  CHECK_FALSE(third->has_value());
}

TEST_CASE("upstream: an endpoint tried before is left out while there is another, then tried again") {
  Bench bench;
  bench.with({Bench::endpoint("10.0.0.1:80"), Bench::endpoint("10.0.0.2:80")});
  const auto first = bench.lease();
  bench.tried(first);
  const auto second = bench.lease();
  CHECK(&second.state() != &first.state());
  bench.tried(second);
  CHECK_FALSE(bench.next().empty());
}

TEST_CASE("upstream: backups serve only when no primary is up") {
  Bench bench;
  auto backup = Bench::endpoint("10.0.0.9:80");
  backup.is_backup = true;
  bench.with({backup, Bench::endpoint("10.0.0.1:80")});
  for (int i = 0; i < 4; ++i) CHECK(bench.next() == "10.0.0.1:80");
  bench.upstream->endpoints()->primaries()[0].state->health = Health::down;
  CHECK(bench.next() == "10.0.0.9:80");
}

TEST_CASE("upstream: with every endpoint down there is none, and a retry is safe") {
  Bench bench;
  bench.settings.panic = Panic::never;
  bench.with({Bench::endpoint("10.0.0.1:80")});
  bench.upstream->endpoints()->all()[0].state->health = Health::down;
  const auto lease = bench.upstream->try_acquire(bench.exchange);
  REQUIRE(lease.has_value());
  CHECK(lease->error().code == ErrorCode::no_endpoint);
  CHECK(lease->error().retry == RetrySafe::yes);
}

TEST_CASE("upstream: a request waits for a full endpoint and gets its place, first come first served") {
  Bench bench;
  bench.with({Bench::limited("10.0.0.1:80", 1)});
  auto held = bench.lease();
  CHECK_FALSE(bench.upstream->try_acquire(bench.exchange).has_value());
  Waiting first(bench);
  Waiting second(bench);
  held = EndpointLease();
  bench.loop.poll();
  REQUIRE(first.is_done());
  CHECK_FALSE(second.is_done());
  CHECK(first.take()->state().active == 1);  // and is dropped
  bench.loop.poll();
  CHECK(second.is_done());
}

TEST_CASE("upstream: a retry takes a place on an endpoint that it has tried rather than hold up all that come later") {
  Bench bench;
  bench.with({Bench::limited("10.0.0.1:80", 10), Bench::limited("10.0.0.2:80", 1)});
  auto first = bench.lease();
  auto second = bench.lease();
  const auto& roomy = first.state().text == "10.0.0.1:80" ? first : second;
  bench.tried(roomy);
  CHECK(bench.next() == "10.0.0.1:80");
  SUBCASE("a hedge, which nobody needs, waits for no place at all") {
    bench.exchange.destination.is_only_untried = true;
    auto hedge = bench.upstream->acquire(bench.exchange);
    hedge.start();
    REQUIRE(hedge.is_done());
    const auto lease = hedge.take();
    REQUIRE_FALSE(lease);
    CHECK(lease.error().code == ErrorCode::overflow);
    CHECK(bench.upstream->state().queue.size() == 0);
  }
}

TEST_CASE("upstream: a place handed to a request that is gone moves on") {
  Bench bench;
  bench.with({Bench::limited("10.0.0.1:80", 1)});
  auto held = bench.lease();
  auto first = std::make_unique<Waiting>(bench);
  Waiting second(bench);
  held = EndpointLease();
  first.reset();
  bench.loop.poll();
  CHECK(second.is_done());
}

TEST_CASE("upstream: a full queue refuses, a long wait ends") {
  Bench bench;
  bench.settings.queue = {.size = 1, .timeout = 1s};
  bench.with({Bench::limited("10.0.0.1:80", 1)});
  const auto held = bench.lease();
  Waiting first(bench);
  Waiting second(bench);
  REQUIRE(second.is_done());
  CHECK(second.take().error().code == ErrorCode::overflow);
  bench.advance(1010ms);
  REQUIRE(first.is_done());
  CHECK(first.take().error().code == ErrorCode::queue_timeout);
  CHECK(bench.upstream->state().queue.size() == 0);
}

TEST_CASE("upstream: one client fills no more than half of the queue, and others still find places in it") {
  Bench bench;
  bench.settings.queue = {.size = 8, .timeout = 1s};
  bench.with({Bench::limited("10.0.0.1:80", 1)});
  const auto held = bench.lease();
  std::vector<std::unique_ptr<Waiting>> crowd;
  for (int i = 0; i < 20; ++i) crowd.push_back(std::make_unique<Waiting>(bench));
  CHECK(bench.upstream->state().queue.size() == 4);
  CHECK(crowd.back()->take().error().code == ErrorCode::overflow);
  const Waiting other(bench, Candidates::all, nullptr, "10.9.9.1");
  CHECK_FALSE(other.is_done());
  crowd.resize(4);
  crowd.clear();
  CHECK(bench.upstream->state().queue.size() == 1);
}

TEST_CASE("upstream: an endpoint that comes up lets the waiting in") {
  Bench bench;
  auto& upstream = bench.with({Bench::limited("10.0.0.1:80", 1), Bench::endpoint("10.0.0.2:80")});
  auto& other = *upstream.endpoints()->all()[1].state;
  auto& ledger = upstream.state().health;
  ledger.judge(other, Judge::check, Health::down, "a check failed", bench.loop.now());
  const auto held = bench.lease();
  Waiting waiting(bench);
  bench.loop.poll();
  CHECK_FALSE(waiting.is_done());
  ledger.judge(other, Judge::check, Health::up, "a check passed", bench.loop.now());
  bench.loop.poll();
  REQUIRE(waiting.is_done());
  CHECK(waiting.take()->state().text == "10.0.0.2:80");
}

TEST_CASE("upstream: new endpoints let the waiting in") {
  Bench bench;
  EndpointSettings name;
  name.dns.value = "api.test:80";
  bench.with({Bench::limited("10.0.0.1:80", 1), name});
  const auto held = bench.lease();
  Waiting waiting(bench);
  CHECK_FALSE(waiting.is_done());
  bench.upstream->publish({{.address = address_of(1)}, {.address = address_of(2)}}, bench.loop.now());
  bench.loop.poll();
  CHECK(waiting.is_done());
}

TEST_CASE("upstream: a lease outlives the endpoints that it was made from") {
  Bench bench;
  EndpointSettings name;
  name.dns.value = "api.test:80";
  bench.with({name});
  bench.upstream->publish({{.address = address_of(1)}}, bench.loop.now());
  const auto lease = bench.lease();
  bench.upstream->publish({{.address = address_of(2)}}, bench.loop.now());
  CHECK(bench.next() == "10.0.0.2:80");
  CHECK(lease.endpoint().state->text == "10.0.0.1:80");
}

}  // namespace weir::upstream
