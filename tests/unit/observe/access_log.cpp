#include "observe/access_log.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <thread>

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
  DroppedLines dropped = std::make_shared<std::atomic<uint64_t>>(0);
  std::shared_ptr<AccessLog> log = AccessLog::open({{file.path}, {"{path} {status}"}}, problems, dropped);
  WorkerAccessLog worker_log{loop};

  Bench() {
    REQUIRE(log);
    worker_log.use(log);
    exchange.record.status = 200;
  }
  std::string written() {
    CHECK(log->writer().wait_until_written(20s));
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
    WorkerAccessLog worker_log(bench.loop);
    worker_log.use(AccessLog::open({{file.path}, {"{path}"}}, problems));
    worker_log.write(bench.exchange);
  }
  CHECK(LogWriter::wait_for_ended(20s) == 0);
  CHECK(file.text() == "/\n");
}

TEST_CASE("access log: no line is dropped for its length") {
  for (const std::string_view format : {"json", "combined", "{path} {header.user-agent} {header.referer}"}) {
    Bench bench;
    bench.worker_log.use(bench.log = AccessLog::open({{bench.file.path}, {std::string(format)}}, bench.problems));
    std::string hostile;
    for (int i = 0; i < 30'000; ++i) hostile += static_cast<char>(0x80 + i % 0x40);  // never UTF-8
    const std::string control(30'000, '\x01');
    bench.exchange.request.target = control;
    bench.exchange.request.authority = hostile;
    bench.exchange.request.headers.add("User-Agent", hostile);
    bench.exchange.request.headers.add("Referer", hostile);
    for (int i = 0; i < 40; ++i) bench.worker_log.write(bench.exchange);
    bench.worker_log.flush();
    const auto text = bench.written();
    CHECK(std::ranges::count(text, '\n') == 40);
    CHECK(text.find("...[+") != std::string::npos);
    CHECK(bench.dropped->load() == 0);
  }
}

TEST_CASE("access log: a writer that lags makes lines drop, not wait, and each is counted") {
  int pipe_ends[2];
  REQUIRE(pipe(pipe_ends) == 0);
  ExchangeBench bench;
  const auto dropped = std::make_shared<std::atomic<uint64_t>>(0);
  const std::string target(1000, 'x');
  bench.exchange.request.target = target;
  uint64_t read_lines = 0;
  {
    auto log = std::make_shared<AccessLog>(*LogFormat::parse("{path}"), LogTarget{pipe_ends[1], ""}, dropped);
    WorkerAccessLog worker_log(bench.loop);
    worker_log.use(log);
    for (int i = 0; i < 6000; ++i) worker_log.write(bench.exchange);  // 6 MB that nobody reads
    CHECK(dropped->load() > 0);
    std::thread reader([&] {
      char bytes[65536];
      while (const auto count = ::read(pipe_ends[0], bytes, sizeof bytes))
        read_lines += static_cast<uint64_t>(std::count(bytes, bytes + std::max<ssize_t>(count, 0), '\n'));
    });
    worker_log.use(nullptr);
    CHECK(log->writer().wait_until_written(20s));
    ::close(pipe_ends[1]);
    reader.join();
  }
  CHECK(read_lines + dropped->load() == 6000);
  ::close(pipe_ends[0]);
}

TEST_CASE("access log: a format whose lines might not fit into a batch is refused") {
  CHECK_FALSE(LogFormat::parse("{path}" + std::string(17 * 1024, 'x')));
  std::string many;
  for (int i = 0; i < 300; ++i) many += "{path}";
  CHECK_FALSE(LogFormat::parse(many));
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
