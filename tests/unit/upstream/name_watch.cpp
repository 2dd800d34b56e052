#include "upstream/name_watch.h"

#include "unit/net/dns_server.h"
#include "unit/upstream/bench.h"

namespace weir::upstream {
namespace {

using namespace std::chrono_literals;

/// An upstream whose endpoint is a name, and the clock in the test's hand.
struct Named : Bench {
  explicit Named(std::string name, net::RecordType type = net::RecordType::a) {
    EndpointSettings endpoint;
    endpoint.dns = {std::move(name), {.line = 7, .column = 14}};
    endpoint.type = type;
    with({endpoint});
  }
  void watch() {
    names.emplace(loop, resolver, *upstream);
    auto ready = names->ready(problems);
    ready.start();
    while (!ready.is_done()) turn();
  }
  void turn() {
    server.serve();
    loop.poll();
  }
  /// After so long, until the server has been asked and its answer was heard.
  void later(Duration by) {
    const int before = server.asked;
    advance(by);
    while (server.asked == before) turn();
    for (int i = 0; i < 20; ++i) turn();
  }
  std::string now() const {
    std::string all;
    for (const auto& endpoint : upstream->endpoints()->all())
      all += endpoint.state->text + (endpoint.is_backup ? "b " : " ");
    return all;
  }

  net::DnsServer server;
  net::Resolver resolver{loop, {.servers = {server.address()}, .timeout = 1s, .tries = 1}};
  config::Problems problems;
  std::optional<NameWatch> names;
};

}  // namespace

TEST_CASE("name_watch: each address of a name is an endpoint") {
  Named bench("api.test:8000");
  bench.server.a("api.test", "10.0.0.1", 60);
  bench.server.a("api.test", "10.0.0.2", 60);
  bench.watch();
  CHECK(bench.problems.empty());
  CHECK(bench.now() == "10.0.0.1:8000 10.0.0.2:8000 ");
  CHECK(bench.upstream->endpoints()->all()[0].authority == "api.test:8000");
}

TEST_CASE("name_watch: a name is resolved again when its TTL is over, and what stays keeps its state") {
  Named bench("api.test:8000");
  bench.server.a("api.test", "10.0.0.1", 20);
  bench.watch();
  const auto state = bench.upstream->endpoints()->all()[0].state;
  bench.server.a("api.test", "10.0.0.2", 20);
  bench.later(20s + 4ms);
  CHECK(bench.now() == "10.0.0.1:8000 10.0.0.2:8000 ");
  CHECK(bench.upstream->endpoints()->all()[0].state == state);
}

TEST_CASE("name_watch: the same answer publishes nothing") {
  Named bench("api.test:8000");
  bench.server.a("api.test", "10.0.0.1", 20);
  bench.watch();
  const auto set = bench.upstream->endpoints();
  bench.later(20s + 4ms);
  CHECK(bench.upstream->endpoints() == set);
}

TEST_CASE("name_watch: while DNS fails the last good answer is kept, and it is asked again soon") {
  Named bench("api.test:8000");
  bench.server.a("api.test", "10.0.0.1", 20);
  bench.watch();
  bench.server.mood = net::DnsServer::Mood::fails;
  bench.later(20s + 4ms);
  CHECK(bench.now() == "10.0.0.1:8000 ");
  bench.server.mood = net::DnsServer::Mood::answers;
  bench.server.a("api.test", "10.0.0.3", 20);
  bench.later(1s + 4ms);
  CHECK(bench.now() == "10.0.0.1:8000 10.0.0.3:8000 ");
}

TEST_CASE("name_watch: SRV records bring ports and weights; those of a lesser priority are backups") {
  Named bench("_http.test", net::RecordType::srv);
  bench.server.srv("_http.test", 10, 5, 8001, "one.test", 60);
  bench.server.srv("_http.test", 20, 1, 8002, "two.test", 60);
  bench.server.a("one.test", "10.0.0.1", 60);
  bench.server.a("two.test", "10.0.0.2", 60);
  bench.watch();
  CHECK(bench.now() == "10.0.0.1:8001 10.0.0.2:8002b ");
  CHECK(bench.upstream->endpoints()->all()[0].weight == 5);
}

TEST_CASE("name_watch: a service that says that it is not available has no endpoints, and is unresolved") {
  Named bench("_http.test", net::RecordType::srv);
  bench.server.srv("_http.test", 10, 5, 8001, "one.test", 20);
  bench.server.a("one.test", "10.0.0.1", 20);
  bench.watch();
  CHECK(bench.now() == "10.0.0.1:8001 ");
  bench.server.forget("_http.test");
  bench.server.srv("_http.test", 0, 0, 0, "", 20);
  bench.later(20s + 4ms);
  CHECK(bench.now().empty());
  REQUIRE(bench.upstream->endpoints()->unresolved().size() == 1);
  CHECK(bench.upstream->endpoints()->unresolved()[0].why == "its SRV record says that there is no such service");
}

TEST_CASE("name_watch: a name without an address is unresolved, and an endpoint once it has one") {
  Named bench("late.test:80");
  bench.watch();
  CHECK(bench.problems.empty());
  REQUIRE(bench.upstream->endpoints()->unresolved().size() == 1);
  CHECK(bench.upstream->endpoints()->unresolved()[0].name == "late.test:80");
  const auto refused = bench.upstream->try_acquire(bench.exchange);
  REQUIRE(refused.has_value());
  REQUIRE_FALSE(refused->has_value());
  CHECK(refused->error().code == ErrorCode::dns_error);
  bench.names->warn(bench.problems);
  REQUIRE(bench.problems.warnings().size() == 1);
  CHECK(bench.problems.warnings()[0].at.line == 7);
  bench.server.a("late.test", "10.0.0.1", 20);
  bench.later(1s + 4ms);
  CHECK(bench.now() == "10.0.0.1:80 ");
  CHECK(bench.upstream->endpoints()->unresolved().empty());
}

TEST_CASE("name_watch: with resolve: required, a name that nobody knows is a problem of the line that wrote it") {
  Named bench("nobody.test:80");
  bench.settings.endpoints[0].resolve = Resolve::required;
  bench.with(bench.settings.endpoints);
  bench.watch();
  REQUIRE(bench.problems.size() == 1);
  CHECK(bench.problems.all()[0].at.line == 7);
  CHECK(bench.problems.all()[0].message.starts_with("'nobody.test:80' does not resolve"));
}

TEST_CASE("name_watch: a reload while DNS fails goes on with the last answer") {
  Named bench("api.test:8000");
  bench.server.a("api.test", "10.0.0.1", 60);
  bench.watch();
  bench.server.mood = net::DnsServer::Mood::fails;
  bench.names.reset();
  bench.with(bench.settings.endpoints);
  bench.watch();
  CHECK(bench.problems.empty());
  CHECK(bench.now() == "10.0.0.1:8000 ");
}

}  // namespace weir::upstream
