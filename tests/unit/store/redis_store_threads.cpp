#include <doctest/doctest.h>

#include <thread>

#include "store/channels.h"
#include "unit/store/redis_bench.h"

using namespace weir;
using namespace weir::store;
using namespace std::chrono_literals;

TEST_CASE("redis store: workers that take at once get no more than the limit gives, and share one health") {
  RedisServer server;
  CountingObserver observer;
  const auto shared = std::make_shared<RedisShared>(RedisWorker::settings(server.address()), observer);
  const Limit limit{"shared", Limit::Algorithm::fixed_window, 300, 24h};
  std::atomic<int> admitted = 0;
  const auto work = [&] {
    RedisWorker worker(shared);
    for (int i = 0; i < 150; ++i) {
      const Take one[] = {{limit, "k"}};
      const auto decision = worker.finish(worker.store->take(worker.caller(), one));
      admitted += decision && decision->allowed;
    }
  };
  std::vector<std::thread> workers;
  for (int i = 0; i < 3; ++i) workers.emplace_back(work);
  for (auto& worker : workers) worker.join();
  CHECK(admitted == 300);
  CHECK(shared->health.state() == StoreState::up);
}

TEST_CASE("store health: threads that fail and succeed at once leave it in one state") {
  StoreHealth health([](StoreState, std::string_view, std::string_view) {});
  const auto own = health.server("a");
  ServerHealth& server = *own;
  const auto work = [&](int seed) {
    for (int i = 0; i < 2000; ++i) {
      const Time now(1h + i * 1ms);
      if (!server.admits(now)) continue;
      if ((i + seed) % 3) health.failed(server, "timeout", now);
      else health.succeeded(server, now);
    }
  };
  std::vector<std::thread> workers;
  for (int i = 0; i < 4; ++i) workers.emplace_back(work, i);
  for (auto& worker : workers) worker.join();
  health.succeeded(server, Time(2h));
  CHECK(health.state() == StoreState::up);
}

TEST_CASE("channels: whoever stops listening hears nothing more") {
  Channels channels;
  std::atomic<bool> is_over = false;
  std::thread publisher([&] {
    while (!is_over) channels.deliver("news", "x");
  });
  for (int i = 0; i < 200; ++i) {
    std::atomic<int> heard = 0;
    {
      const auto subscription = channels.subscribe("news", [&](std::string_view) { ++heard; });
      const auto other = channels.subscribe("other", [&](std::string_view) { heard = -1'000'000; });
    }
    CHECK(heard >= 0);
  }
  is_over = true;
  publisher.join();
}
