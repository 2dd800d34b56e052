#include "observe/access_log.h"

#include <doctest/doctest.h>

#include "config/loader.h"
#include "unit/exchange_bench.h"
#include "unit/observe/log_file.h"

using namespace weir;
using namespace weir::observe;
using namespace std::chrono_literals;

namespace {

struct Bench : ExchangeBench {
  LogFile file;
  config::Problems problems;
  std::shared_ptr<AccessLog> log = AccessLog::open({{file.path}, {"{path} {status}"}}, problems);
  Counter drops;
  WorkerAccessLog worker_log{loop, drops};

  Bench() {
    REQUIRE(log);
    worker_log.use(log);
    exchange.record.status = 200;
  }
  std::string written() {
    log->writer().wait_until_written();
    return file.text();
  }
};

struct Root {
  AccessLogSettings access_log;
};
void decode(config::Reader& r, Root& root) { r.optional("access_log", root.access_log, "the access log"); }

Root read(std::string yaml, config::Problems& problems) {
  const auto document = config::load_text("weir.yaml", std::move(yaml), problems);
  return config::decode_document<Root>(document, problems);
}

}  // namespace

TEST_CASE("access log: a line is written 200 ms after it was logged at the latest") {
  Bench bench;
  bench.worker_log.write(bench.exchange);
  bench.clock.advance(190ms);
  bench.loop.fire_timers();
  CHECK(bench.written() == "");
  bench.clock.advance(20ms);
  bench.loop.fire_timers();
  CHECK(bench.written() == "/ 200\n");
}

TEST_CASE("access log: 32 KiB of lines are written at once") {
  Bench bench;
  for (int i = 0; i < 32 * 1024 / 6 + 1; ++i) bench.worker_log.write(bench.exchange);
  CHECK(bench.written().size() >= 32 * 1024);
}

TEST_CASE("access log: after a rotation lines go to the new file") {
  Bench bench;
  bench.worker_log.write(bench.exchange);
  bench.worker_log.flush();
  bench.written();
  std::filesystem::rename(bench.file.path, bench.file.path + ".1");
  bench.log->reopen();
  bench.worker_log.write(bench.exchange);
  bench.worker_log.flush();
  CHECK(bench.written() == "/ 200\n");
  CHECK(bench.file.text(".1") == "/ 200\n");
}

TEST_CASE("access log: what was buffered is written when the worker and its log go") {
  LogFile file;
  config::Problems problems;
  {
    ExchangeBench bench;
    Counter drops;
    WorkerAccessLog worker_log(bench.loop, drops);
    worker_log.use(AccessLog::open({{file.path}, {"{path}"}}, problems));
    worker_log.write(bench.exchange);
  }
  CHECK(file.text() == "/\n");
}

TEST_CASE("access log: a line that no buffer could hold is dropped and counted") {
  Bench bench;
  const std::string endless(LogBatch::kCapacity, 'x');
  bench.exchange.request.target = endless;
  bench.worker_log.write(bench.exchange);
  CHECK(bench.drops.value() == 1);
}

TEST_CASE("access log: a writer that lags makes lines drop, not wait") {
  int pipe_ends[2];
  REQUIRE(pipe(pipe_ends) == 0);
  ExchangeBench bench;
  Counter drops;
  const std::string target(1000, 'x');
  bench.exchange.request.target = target;
  {
    auto log = std::make_shared<AccessLog>(*LogFormat::parse("{path}"), LogWriter::Target{pipe_ends[1], ""});
    WorkerAccessLog worker_log(bench.loop, drops);
    worker_log.use(log);
    for (int i = 0; i < 6000; ++i) worker_log.write(bench.exchange);  // 6 MB that nobody reads
    CHECK(drops.value() > 0);
    std::thread reader([&] {
      char bytes[65536];
      while (::read(pipe_ends[0], bytes, sizeof bytes) > 0) {
      }
    });
    worker_log.use(nullptr);
    log->writer().wait_until_written();
    ::close(pipe_ends[1]);
    reader.join();
  }
  ::close(pipe_ends[0]);
}

TEST_CASE("access log: settings are read, and off is enough to turn it off") {
  config::Problems problems;
  CHECK(*read("access_log: { path: stderr, format: combined }", problems).access_log.format == "combined");
  CHECK(*read("{}", problems).access_log.path == "stdout");
  const auto off = read("access_log: off", problems).access_log;
  CHECK(*off.path == "off");
  CHECK_FALSE(AccessLog::open(off, problems));
  CHECK(problems.empty());
}

TEST_CASE("access log: a bad template and a file that can't be opened are told where they are written") {
  config::Problems problems;
  read("access_log: { path: stdout, format: '{clinet}' }", problems);
  CHECK(problems.size() == 1);
  const auto settings = read("access_log: /nonexistent/access.log", problems).access_log;
  CHECK_FALSE(AccessLog::open(settings, problems));
  REQUIRE(problems.size() == 2);
  CHECK(problems.all()[1].at.path == "access_log");
}
