#include "observe/log_format.h"

#include <doctest/doctest.h>

#include <array>

#include "unit/exchange_bench.h"

using namespace weir;
using namespace weir::observe;
using namespace std::chrono_literals;

namespace {

struct Bench : ExchangeBench {
  Route route{.name = "api"};
  std::array<char, 4096> room;

  Bench() {
    exchange.client.ip = "10.0.0.1";
    exchange.client.listener = "http";
    exchange.request.authority = "example.com";
    exchange.request.target = "/a?b=c";
    exchange.record.status = 200;
    exchange.record.finished = exchange.record.started + 42ms;
    exchange.record.response_body_bytes = 5;
  }
  void forward() {
    exchange.route = &route;
    auto& attempt = exchange.attempts.add({.upstream = "pool", .endpoint = "127.0.0.1:9001"});
    attempt.started = exchange.record.started;
    attempt.connected = attempt.started + 1ms;
    attempt.answered = attempt.started + 40ms;
  }
  std::string line(std::string_view format, std::string_view timestamp = "NOW") {
    const auto parsed = LogFormat::parse(format);
    REQUIRE(parsed);
    Line line(room);
    parsed->append(line, exchange, timestamp);
    REQUIRE(line.is_whole());
    return {room.data(), line.size()};
  }
};

}  // namespace

TEST_CASE("access log: a JSON line tells all there is") {
  Bench bench;
  bench.forward();
  bench.exchange.id = "id-1";
  bench.exchange.request.headers.add("User-Agent", "curl");
  bench.exchange.failure = Error{ErrorCode::read_timeout, Side::upstream, "stalled"};
  bench.exchange.record.raise(Flag::UT);
  bench.exchange.record.raise(Flag::URX);
  CHECK(bench.line("json") ==
        R"({"ts":"NOW","request_id":"id-1","client":"10.0.0.1","method":"GET","host":"example.com","path":"/a?b=c",)"
        R"("proto":"HTTP/1.1","status":200,"bytes_in":0,"bytes_out":5,"duration":0.042000,"route":"api",)"
        R"("listener":"http","upstream":{"name":"pool","addr":"127.0.0.1:9001","connect":0.001000,"ttfb":0.040000,)"
        R"("attempts":1,"reused":false},"flags":["UT","URX"],"error":{"code":"read_timeout","detail":"stalled"},)"
        R"("user_agent":"curl"})"
        "\n");
}

TEST_CASE("access log: a failure that a filter answered in place of keeps its error, its upstream and its flag") {
  Bench bench;
  bench.exchange.destination.upstream = "pool";
  bench.exchange.fail({ErrorCode::circuit_open, Side::self, "open", RetrySafe::yes, "circuit pool"});
  const auto replaced = bench.exchange.replaced(bench.arena);
  bench.exchange.respond(200);
  bench.exchange.answered_for(replaced);
  const auto line = bench.line("json");
  CHECK(line.contains(R"("upstream":{"name":"pool","attempts":0})"));
  CHECK(line.contains(R"("flags":["CB"],"instead_of":"circuit_open by circuit pool of upstream pool",)"
                      R"("error":{"code":"circuit_open","detail":"open","by":"circuit pool","upstream":"pool"})"));
  CHECK(bench.line("{upstream} {error} {error_by} {error_detail} {instead_of} {upstream_status}") ==
        "pool circuit_open circuit pool open circuit_open by circuit pool of upstream pool -\n");
}

TEST_CASE("access log: a failure of the answer to a failure is told with its cause") {
  Bench bench;
  bench.exchange.destination.upstream = "pool";
  bench.exchange.fail({ErrorCode::no_endpoint, Side::self, "none"});
  bench.exchange.answered_for(bench.exchange.replaced(bench.arena));
  bench.exchange.destination.upstream = "spare";
  bench.exchange.fail({ErrorCode::overflow, Side::self, "full"});
  CHECK(bench.line("json").contains(R"("error":{"code":"overflow","detail":"full","upstream":"spare"},)"
                                    R"("cause":{"code":"no_endpoint","detail":"none","upstream":"pool"})"));
}

TEST_CASE("access log: the upstream's status is told beside what the client was sent") {
  Bench bench;
  auto& attempt = bench.exchange.attempts.add({.upstream = "pool", .endpoint = "127.0.0.1:9001"});
  attempt.status = 503;
  bench.exchange.respond(200);
  CHECK(bench.line("json").contains(R"("addr":"127.0.0.1:9001","status":503,)"));
  CHECK(bench.line("{status} {upstream_status}") == "200 503\n");
}

TEST_CASE("access log: a duration has microseconds") {
  Bench bench;
  bench.exchange.record.finished = bench.exchange.record.started + 61s + 1042us;
  CHECK(bench.line("{duration}") == "61.001042\n");
}

TEST_CASE("access log: a client that went away unanswered is a 499") {
  Bench bench;
  bench.exchange.record.status = 0;
  CHECK(bench.line("{status}") == "499\n");
}

TEST_CASE("access log: the combined format is what other tools read") {
  Bench bench;
  bench.exchange.request.headers.add("Referer", "http://x/");
  CHECK(bench.line("combined") == "10.0.0.1 - - [NOW] \"GET /a?b=c HTTP/1.1\" 200 5 \"http://x/\" \"-\"\n");
}

TEST_CASE("access log: a template takes fields and keys") {
  Bench bench;
  bench.forward();
  bench.exchange.request.headers.add("X-Foo", "bar baz");
  CHECK(
      bench.line("{{{client}}} {method} {path} {status} {duration}s {endpoint} {header.x-foo} {header.none} {flags}") ==
      "{10.0.0.1} GET /a?b=c 200 0.042000s 127.0.0.1:9001 bar baz - -\n");
}

TEST_CASE("access log: a template joins the flags, and has a dash where there is nothing to tell") {
  Bench bench;
  bench.exchange.record.raise(Flag::UT);
  bench.exchange.record.raise(Flag::URX);
  CHECK(bench.line("{flags} {route} {upstream} {endpoint} {request_id} {error}") == "UT,URX - - - - -\n");
}

TEST_CASE("access log: what a client sends never ends a line or a string") {
  Bench bench;
  bench.exchange.request.headers.add("User-Agent", "a\"b\\c\nd\x01\xff\xc3\xa4");
  CHECK(bench.line("json").ends_with("\"user_agent\":\"a\\\"b\\\\c\\u000ad\\u0001\\ufffd\xc3\xa4\"}\n"));
  CHECK(bench.line("combined").ends_with("\"a\\x22b\\x5cc\\x0ad\\x01\\xff\\xc3\\xa4\"\n"));
  CHECK(bench.line("{header.user-agent}") == "a\\x22b\\x5cc\\x0ad\\x01\\xff\\xc3\\xa4\n");
}

TEST_CASE("access log: a quote in a target ends no string") {
  Bench bench;
  bench.exchange.request.target = "/\" 200 5 \"x";
  CHECK(bench.line("combined") == "10.0.0.1 - - [NOW] \"GET /\\x22 200 5 \\x22x HTTP/1.1\" 200 5 \"-\" \"-\"\n");
  CHECK(bench.line("{path}") == "/\\x22 200 5 \\x22x\n");
}

TEST_CASE("access log: a template tells the bytes of both directions apart") {
  Bench bench;
  bench.exchange.record.request_body_bytes = 7;
  CHECK(bench.line("{bytes_in} {bytes_out}") == "7 5\n");
}

TEST_CASE("access log: a format that isn't one is refused") {
  CHECK_FALSE(LogFormat::parse("jsn"));
  CHECK_FALSE(LogFormat::parse("{client"));
  CHECK_FALSE(LogFormat::parse("{clinet}"));
}

TEST_CASE("access log: a line that doesn't fit is void, not cut") {
  Bench bench;
  Line line(std::span(bench.room).first(20));
  LogFormat::parse("json")->append(line, bench.exchange, "NOW");
  CHECK_FALSE(line.is_whole());
}

TEST_CASE("access log: a timestamp has milliseconds and is UTC") {
  WallClockText wall;
  const std::chrono::system_clock::time_point when(784111777s + 250ms);
  CHECK(wall.rfc3339(when) == "1994-11-06T08:49:37.250Z");
  CHECK(wall.rfc3339(when + 1s + 7ms) == "1994-11-06T08:49:38.257Z");
  CHECK(wall.common(when) == "06/Nov/1994:08:49:37 +0000");
}
