#include "net/resolver.h"

#include <doctest/doctest.h>

#include "net/resolver_srv.h"
#include "unit/net/dns_server.h"

namespace weir::net {
namespace {

using namespace std::chrono_literals;

struct Bench {
  Result<Resolution> resolve(std::string name, RecordType type, std::vector<Resolution::Record> last = {}) {
    auto task = resolver.resolve(std::move(name), type, std::move(last));
    task.start();
    while (!task.is_done()) turn();
    return task.take();
  }
  void turn() {
    server.serve();
    loop.poll();
  }

  DnsServer server;
  SteadyClock clock;
  Loop loop{clock};
  Resolver resolver{loop, {.servers = {server.address()}, .timeout = 30ms, .tries = 1}};
};

std::vector<std::string> texts(const Result<Resolution>& result) {
  std::vector<std::string> texts;
  for (const auto& record : result->records) texts.push_back(record.address.text());
  return texts;
}

}  // namespace

TEST_CASE("resolver: a name gives all its addresses, in a stable order, for the least of their TTLs") {
  Bench bench;
  bench.server.a("api.test", "10.0.0.2", 60);
  bench.server.a("api.test", "10.0.0.1", 20);
  const auto result = bench.resolve("api.test", RecordType::a);
  REQUIRE(result.has_value());
  CHECK(texts(result) == std::vector<std::string>{"10.0.0.1:0", "10.0.0.2:0"});
  CHECK(result->ttl == 20s);
}

TEST_CASE("resolver: any asks for both families") {
  Bench bench;
  bench.server.a("api.test", "10.0.0.1", 60);
  bench.server.aaaa("api.test", "fd00::1", 60);
  const auto both = bench.resolve("api.test", RecordType::any);
  REQUIRE(both.has_value());
  CHECK(texts(both) == std::vector<std::string>{"10.0.0.1:0", "[fd00::1]:0"});
  CHECK(texts(bench.resolve("api.test", RecordType::aaaa)) == std::vector<std::string>{"[fd00::1]:0"});
}

TEST_CASE("resolver: a TTL is five minutes at most") {
  Bench bench;
  bench.server.a("api.test", "10.0.0.1", 86400);
  CHECK(bench.resolve("api.test", RecordType::a)->ttl == 5min);
}

TEST_CASE("resolver: a TTL of 0 is the shortest, and that of the hosts file 30 s") {
  Bench bench;
  bench.server.a("api.test", "10.0.0.1", 0);
  CHECK(bench.resolve("api.test", RecordType::a)->ttl == 1s);
  bench.server.a("mixed.test", "10.0.0.1", 60);
  bench.server.a("mixed.test", "10.0.0.2", 0);
  CHECK(bench.resolve("mixed.test", RecordType::a)->ttl == 1s);
  bench.server.srv("_http.test", 1, 1, 80, "api.test", 0);
  CHECK(bench.resolve("_http.test", RecordType::srv)->ttl == 1s);
  CHECK(bench.resolve("localhost", RecordType::a)->ttl == 30s);
  CHECK(bench.resolve("127.0.0.1", RecordType::a)->ttl == 30s);
}

TEST_CASE("resolver: an SRV target without an answer keeps its last good addresses, at the port that the record says") {
  Bench bench;
  bench.server.srv("_http.test", 1, 1, 8001, "one.test", 60);
  bench.server.srv("_http.test", 1, 1, 8002, "two.test", 60);
  bench.server.a("one.test", "10.0.0.1", 60);
  bench.server.a("two.test", "10.0.0.2", 60);
  const auto first = bench.resolve("_http.test", RecordType::srv);
  bench.server.fail("two.test");
  bench.server.forget("_http.test");
  bench.server.srv("_http.test", 1, 1, 8001, "one.test", 60);
  bench.server.srv("_http.test", 3, 7, 9002, "two.test", 60);
  const auto second = bench.resolve("_http.test", RecordType::srv, first->records);
  REQUIRE(second.has_value());
  CHECK(texts(second) == std::vector<std::string>{"10.0.0.1:8001", "10.0.0.2:9002"});
  CHECK(second->records[1].priority == 3);
  CHECK(second->records[1].weight == 7);
  CHECK(second->ttl == 5s);
  bench.server.fail("one.test");
  CHECK(texts(bench.resolve("_http.test", RecordType::srv, second->records)).size() == 2);
  CHECK(bench.resolve("_http.test", RecordType::srv).error().side == Side::self);  // nothing is known
}

TEST_CASE("resolver: an SRV target that is no more loses its addresses") {
  Bench bench;
  bench.server.srv("_http.test", 1, 1, 8001, "one.test", 60);
  bench.server.srv("_http.test", 1, 1, 8002, "two.test", 60);
  bench.server.a("one.test", "10.0.0.1", 60);
  bench.server.a("two.test", "10.0.0.2", 60);
  const auto first = bench.resolve("_http.test", RecordType::srv);
  bench.server.forget("two.test");
  CHECK(texts(bench.resolve("_http.test", RecordType::srv, first->records)) ==
        std::vector<std::string>{"10.0.0.1:8001"});
}

TEST_CASE("resolver: SRV 0 0 0 . is an answer: there is no such service") {
  Bench bench;
  bench.server.srv("_http.test", 0, 0, 0, "", 60);
  const auto result = bench.resolve("_http.test", RecordType::srv);
  REQUIRE(result.has_value());
  CHECK(result->records.empty());
  CHECK(result->ttl == 60s);
}

TEST_CASE("resolver: SRV brings ports, priorities, weights and a TTL of its own") {
  Bench bench;
  bench.server.srv("_http.test", 10, 5, 8001, "one.test", 7);
  bench.server.srv("_http.test", 20, 0, 8002, "two.test", 60);
  bench.server.a("one.test", "10.0.0.1", 60);
  bench.server.a("two.test", "10.0.0.2", 60);
  const auto result = bench.resolve("_http.test", RecordType::srv);
  REQUIRE(result.has_value());
  CHECK(texts(result) == std::vector<std::string>{"10.0.0.1:8001", "10.0.0.2:8002"});
  CHECK(result->records[0].weight == 5);
  CHECK(result->records[1].priority == 20);
  CHECK(result->ttl == 7s);
}

TEST_CASE("resolver: a name that isn't there is an answer, a silent server is none") {
  Bench bench;
  const auto unknown = bench.resolve("nobody.test", RecordType::a);
  REQUIRE_FALSE(unknown.has_value());
  CHECK(unknown.error().code == ErrorCode::dns_error);
  CHECK(unknown.error().side == Side::upstream);
  bench.server.mood = DnsServer::Mood::silent;
  CHECK(bench.resolve("api.test", RecordType::a).error().side == Side::self);
}

TEST_CASE("resolver: the answer to a destroyed task is dropped") {
  Bench bench;
  bench.server.a("api.test", "10.0.0.1", 60);
  auto task = bench.resolver.resolve("api.test", RecordType::a);
  CHECK_FALSE(task.start());
  task.reset();
  while (bench.server.asked == 0) bench.turn();
  CHECK(bench.resolve("api.test", RecordType::a).has_value());
}

TEST_CASE("resolver: a malformed SRV answer is refused, wherever it is cut") {
  std::string answer{
      "\0\0\x81\x80\0\x01\0\x01\0\0\0\0\1a\0\0\x21\0\1\xc0\x0c\0\x21\0\1\0\0\0\7\0\x9\0\1\0\2\0\x50\1b\0", 40};
  const auto parse = [](std::string_view text) {
    const std::vector<unsigned char> bytes(text.begin(), text.end());
    return parse_srv(bytes);
  };
  const auto whole = parse(answer);
  REQUIRE(whole.has_value());
  REQUIRE(whole->size() == 1);
  CHECK(whole->front().target == "b");
  CHECK(whole->front().port == 80);
  CHECK(whole->front().ttl == 7);
  for (size_t size = 0; size < answer.size(); ++size) CHECK_FALSE(parse(answer.substr(0, size)).has_value());
}

}  // namespace weir::net
