#include <thread>

#include "base/log.h"
#include "unit/upstream/bench.h"

namespace weir::upstream {

TEST_CASE("health: workers that judge, choose and report at once never put more aside than may go") {
  log::set_level(log::Level::error);
  Bench bench;
  bench.settings.outlier_detection.emplace();
  bench.settings.panic_threshold = {0};
  auto& upstream =
      bench.with({Bench::endpoint("10.0.0.1:80"), Bench::endpoint("10.0.0.2:80"), Bench::endpoint("10.0.0.3:80")});
  const auto all = upstream.endpoints()->all();
  std::atomic<uint64_t> turn{0};
  std::atomic<bool> is_over{false};
  const auto answer = [&] {
    Random random(7);
    for (int i = 0; i < 5000; ++i) {
      EndpointState& endpoint = *all[static_cast<size_t>(i) % all.size()].state;
      upstream.outlier()->observe(endpoint, Outcome::answered, 500, bench.loop.clock().now());
      (void)upstream.endpoints()->choose({.turn = turn, .random = random});
    }
  };
  const auto forgive = [&] {
    size_t most = 0;
    while (!is_over) {
      size_t gone = 0;
      for (const Endpoint& endpoint : all) gone += endpoint.state->health == Health::ejected;
      most = std::max(most, gone);
      upstream.outlier()->end_interval(bench.loop.clock().now());
      upstream.outlier()->release_due(Time::max());
      for (const Endpoint& endpoint : all) (void)upstream.state().health.report(*endpoint.state);
    }
    CHECK(most <= 1);
  };
  std::vector<std::thread> workers;
  for (int i = 0; i < 3; ++i) workers.emplace_back(answer);
  std::thread watch(forgive);
  for (auto& worker : workers) worker.join();
  is_over = true;
  watch.join();
}

}  // namespace weir::upstream
