#include "observe/metrics.h"

#include <doctest/doctest.h>

#include <mutex>
#include <thread>

#include "unit/exchange_bench.h"

using namespace weir;
using namespace weir::observe;

TEST_CASE("metrics: a scrape runs while workers count and adopt snapshots") {
  Metrics metrics{{"1", ""}};
  std::mutex supervisor;  // plans are one thread's at a time
  const auto work = [&](unsigned index) {
    ExchangeBench bench;
    bench.exchange.client.listener = "http";
    bench.exchange.record.status = 200;
    bench.exchange.record.finished = bench.exchange.record.started;
    for (int round = 0; round < 50; ++round) {
      std::shared_ptr<const CellPlan> plan;
      {
        const std::lock_guard lock(supervisor);
        plan = metrics.prepare({{"http"}, {"route" + std::to_string(round)}, {}}, 2);
      }
      auto cells = metrics.worker(index).resolve(std::move(plan));
      for (int i = 0; i < 100; ++i) cells.observe(bench.exchange);
    }
  };
  std::thread first(work, 0), second(work, 1);
  for (int i = 0; i < 20; ++i) metrics.expose("");
  first.join();
  second.join();
  const auto shown = metrics.prepare({{"http"}, {"route0"}, {}}, 2);  // what no plan has is not on the page
  CHECK(metrics.expose("").text.find(R"(weir_requests_total{listener="http",route="none",code="2xx"} 10000)") !=
        std::string::npos);
}
