#include "observe/access_log.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <thread>

#include "unit/exchange_bench.h"
#include "unit/observe/log_file.h"

using namespace weir;
using namespace weir::observe;

TEST_CASE("access log: lines of several workers stay whole while the file is opened anew") {
  LogFile file;
  config::Problems problems;
  auto log = AccessLog::open({{file.path}, {"{path}"}}, problems);
  REQUIRE(log);
  const auto work = [&] {
    ExchangeBench bench;
    bench.exchange.request.target = "/abcdefghij";
    WorkerAccessLog worker_log(bench.loop);
    worker_log.use(log);
    for (int i = 0; i < 20'000; ++i) worker_log.write(bench.exchange);
  };
  std::thread first(work), second(work);
  for (int i = 0; i < 20; ++i) log->reopen();
  first.join();
  second.join();
  CHECK(log->writer().wait_until_written(std::chrono::seconds(60)));
  const std::string text = file.text();
  CHECK(text.size() == 40'000 * 12);
  bool whole = true;
  for (size_t at = 0; at + 12 <= text.size(); at += 12) whole &= text.substr(at, 12) == "/abcdefghij\n";
  CHECK(whole);
}
