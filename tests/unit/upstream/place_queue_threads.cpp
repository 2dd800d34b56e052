#include "upstream/place_queue.h"

#include <deque>
#include <thread>

#include "base/log.h"
#include "unit/upstream/bench.h"

namespace weir::upstream {
namespace {

using namespace std::chrono_literals;

/// Two endpoints of one place each, both taken, and requests that wait: in which order are they served?
struct Line : Bench {
  Line() {
    settings.queue = {.size = 100, .timeout = 1h};
    EndpointSettings name;  // so that others may be published
    name.dns.value = "api.test:80";
    with({limited("10.0.0.0:80", 1), limited("10.0.0.1:80", 1), name});
    for (int i = 0; i < 2; ++i) {
      auto taken = lease();
      leases[taken.endpoint().index] = std::move(taken);
    }
  }
  EndpointState& endpoint(size_t i) { return *upstream->endpoints()->all()[i].state; }
  using Bench::endpoint;
  Waiting& wait(Candidates among = Candidates::all, const EndpointState* tried = nullptr) {
    return waiting.emplace_back(*this, among, tried);
  }
  void vacate(size_t i) {
    leases[i] = EndpointLease();
    turn();
  }
  void turn() {
    for (int i = 0; i < 40; ++i) loop.poll();
  }
  void judge(size_t i, Health health) {
    upstream->state().health.judge(endpoint(i), Judge::check, health, "", loop.now());
    turn();
  }
  /// Who is served when the places of `i` are given back one by one.
  std::vector<size_t> order(size_t i) {
    std::vector<size_t> order;
    vacate(i);
    for (;;) {
      const size_t before = order.size();
      for (size_t at = 0; at < waiting.size(); ++at) {
        if (!waiting[at].task || !waiting[at].is_done()) continue;
        order.push_back(at);
        {
          const auto lease = waiting[at].take();
        }
        waiting[at].task.reset();
        turn();
        break;
      }
      if (order.size() == before) return order;
    }
  }
  const std::vector<size_t> in_order{0, 1, 2, 3, 4};

  std::array<EndpointLease, 2> leases;
  std::deque<Waiting> waiting;
};

}  // namespace

TEST_CASE("place queue: a change of health leaves those who wait in their order") {
  Line line;
  for (int i = 0; i < 5; ++i) line.wait();
  line.judge(1, Health::down);
  line.judge(1, Health::up);
  line.judge(1, Health::down);
  CHECK(line.order(0) == line.in_order);
}

TEST_CASE("place queue: new endpoints that are full leave those who wait in their order") {
  Line line;
  for (int i = 0; i < 5; ++i) line.wait();
  line.upstream->publish({{.address = *net::Address::parse("10.0.0.0:80"), .max_requests = 1}}, line.loop.now());
  line.turn();
  CHECK(line.order(0) == line.in_order);
}

TEST_CASE("place queue: all who wait are served when an endpoint without a limit comes") {
  Bench bench;
  EndpointSettings name;
  name.dns.value = "api.test:80";
  bench.settings.queue.size = 1000;
  bench.with({Bench::limited("10.0.0.1:80", 1), name});
  const auto held = bench.lease();
  std::deque<Waiting> waiting;
  for (int i = 0; i < 100; ++i) waiting.emplace_back(bench);
  bench.upstream->publish({{.address = address_of(1), .max_requests = 1}, {.address = address_of(2)}},
                          bench.loop.now());
  for (int i = 0; i < 100; ++i) bench.loop.poll();
  CHECK(std::ranges::all_of(waiting, &Waiting::is_done));
}

TEST_CASE("place queue: a failover that waits for one endpoint holds up nobody who may go to another") {
  Line line;
  Waiting& failover = line.wait(Candidates::untried, &line.endpoint(1));
  SUBCASE("one that comes later") {
    line.vacate(1);
    CHECK_FALSE(failover.is_done());
    CHECK(line.next() == "10.0.0.1:80");
  }
  SUBCASE("one that waits behind it") {
    Waiting& other = line.wait();
    line.vacate(1);
    CHECK_FALSE(failover.is_done());
    REQUIRE(other.is_done());
    CHECK(other.take()->state().text == "10.0.0.1:80");
  }
  SUBCASE("one that finds the line full of them") {
    line.settings.queue.size = 1;
    line.with({Bench::limited("10.0.0.0:80", 1), Bench::limited("10.0.0.1:80", 1)});
    line.vacate(1);
    CHECK(line.next() == "10.0.0.1:80");
  }
  SUBCASE("another failover behind it") {
    Waiting& other = line.wait(Candidates::untried, &line.endpoint(0));
    line.vacate(1);
    CHECK_FALSE(failover.is_done());
    CHECK(other.is_done());
  }
  line.vacate(0);
  REQUIRE(failover.is_done());
  CHECK(failover.take()->state().text == "10.0.0.0:80");
}

TEST_CASE("place queue: a place that is free again is for the one that waits, not for the one that comes") {
  Line line;
  Waiting& failover = line.wait(Candidates::untried, &line.endpoint(1));
  line.leases[1] = EndpointLease();
  line.leases[0] = EndpointLease();
  for (int i = 0; i < 8; ++i) CHECK(line.next() == "10.0.0.1:80");  // before the one that waits has had its turn
  line.turn();
  REQUIRE(failover.is_done());
  CHECK(failover.take()->state().text == "10.0.0.0:80");
}

TEST_CASE("place queue: a place that the one who waits has no use for is for the next") {
  Line line;
  Waiting& first = line.wait();
  Waiting& second = line.wait();
  line.leases[0] = EndpointLease();
  line.leases[1] = EndpointLease();
  first.task.reset();
  line.turn();
  REQUIRE(second.is_done());
  {
    const auto lease = second.take();
  }
  line.waiting.clear();
  CHECK(line.endpoint(0).promised == 0);
  CHECK(line.endpoint(1).promised == 0);
}

TEST_CASE("place queue: requests of an older configuration hold up none of a newer one that has other endpoints") {
  Line line;
  Waiting& old = line.wait();
  line.with({Bench::limited("10.0.0.7:80", 1)});
  auto lease = line.lease();
  Waiting& young = line.wait();
  lease = EndpointLease();
  line.turn();
  CHECK_FALSE(old.is_done());
  CHECK(young.is_done());
}

TEST_CASE("place queue: the end of an endpoint's pause starts a request that waits") {
  Line line;
  line.leases[1] = EndpointLease();
  for (int i = 0; i < 3; ++i) line.endpoint(1).backoff.failed(line.loop.now());
  Waiting& first = line.wait();
  Waiting& second = line.wait();
  line.turn();
  CHECK_FALSE(first.is_done());
  SUBCASE("by time") {
    line.advance(1010ms);
    line.turn();
  }
  SUBCASE("by success") {
    line.upstream->responded(line.endpoint(1));
    line.turn();
  }
  REQUIRE(first.is_done());
  CHECK(first.take()->state().text == "10.0.0.1:80");
  CHECK_FALSE(second.is_done());
}

TEST_CASE("place queue: workers that come, wait, leave and judge at once pass no limit, and all are served") {
  log::set_level(log::Level::error);
  constexpr int kThreads = 4;
  constexpr int kRounds = 300;
  Bench bench;
  bench.settings.queue = {.size = 10'000, .timeout = 1h};
  bench.with({Bench::limited("10.0.0.0:80", 1), Bench::limited("10.0.0.1:80", 2), Bench::limited("10.0.0.2:80", 1)});
  const Upstream& upstream = *bench.upstream;
  const auto all = upstream.endpoints()->all();
  std::atomic<int> served{0};
  std::atomic<bool> is_within{true};
  const auto work = [&](int seed) {
    const SteadyClock clock;
    Loop loop(clock);
    BlockPool blocks{8 * 1024}, buffers{64 * 1024};
    store::MemoryStore store{clock};
    WorkerContext worker{loop, blocks, buffers, store, store};
    struct Asker {
      Asker(WorkerContext& worker, BlockPool& blocks) : arena(blocks), exchange(arena, worker, nullptr) {}
      Arena arena;
      Exchange exchange;
      Task<Result<EndpointLease>> task;
    };
    for (int round = 0; round < kRounds; ++round) {
      std::deque<Asker> askers;
      for (int i = 0; i < 4; ++i) {
        auto& asker = askers.emplace_back(worker, blocks);
        const bool is_failover = i == 1;
        if (is_failover) {
          const auto& tried = all[static_cast<size_t>(seed + round) % all.size()];
          asker.exchange.attempts.add({.endpoint_id = tried.state.get()});
        }
        asker.task = upstream.acquire(asker.exchange, is_failover ? Candidates::untried : Candidates::all);
        asker.task.start();
      }
      askers[2].task.reset();  // leaves
      EndpointState& judged = *all[static_cast<size_t>(round) % all.size()].state;
      if (seed == 0) bench.upstream->state().health.judge(judged, Judge::check, Health::degraded, "", loop.now());
      for (int left = 3; left > 0;) {
        loop.poll();
        for (auto& asker : askers) {
          if (!asker.task || !asker.task.is_done()) continue;
          const auto lease = asker.task.take();
          served += lease.has_value();
          for (const Endpoint& endpoint : all) {
            if (endpoint.state->active > endpoint.limit()) is_within = false;
          }
          asker.task.reset();
          --left;
        }
      }
      if (seed == 0) bench.upstream->state().health.judge(judged, Judge::check, Health::up, "", loop.now());
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(work, i);
  for (auto& thread : threads) thread.join();
  CHECK(served == kThreads * kRounds * 3);
  CHECK(is_within);
  CHECK(upstream.state().queue.size() == 0);
  for (const Endpoint& endpoint : all) {
    CHECK(endpoint.state->active == 0);
    CHECK(endpoint.state->promised == 0);
  }
}

}  // namespace weir::upstream
