#include "upstream/config.h"

#include <doctest/doctest.h>

#include "unit/config/bench.h"

namespace weir::upstream {
namespace {

using namespace std::chrono_literals;

struct Read : config::Read<UpstreamSettings> {
  using config::Read<UpstreamSettings>::Read;
  std::string problem() const { return problems.empty() ? "" : problems.all().front().message; }
  std::string hint() const { return problems.empty() ? "" : problems.all().front().hint; }
};

}  // namespace

TEST_CASE("upstream config: addresses, weights and defaults") {
  const Read read(R"(endpoints:
  - 127.0.0.1:9001
  - unix:/run/app.sock
  - { address: "[::1]:9002", weight: 3, backup: true, max_connections: 10 }
  - { dns: api.internal:8000, type: AAAA }
)");
  REQUIRE_MESSAGE(read.problems.empty(), read.problems.text());
  const auto& endpoints = read.value.endpoints;
  CHECK(endpoints[0].parsed.text() == "127.0.0.1:9001");
  CHECK(endpoints[1].parsed.is_unix());
  CHECK(endpoints[2].weight == 3);
  CHECK(endpoints[2].is_backup);
  CHECK(endpoints[3].host() == "api.internal");
  CHECK(endpoints[3].port() == 8000);
  CHECK(endpoints[3].type == net::RecordType::aaaa);
  CHECK(read.value.balance.value.policy == Policy::round_robin);
  CHECK(read.value.timeouts.connect == 5s);
  CHECK(read.value.retry_reused);
  CHECK(read.value.host.from == HostRule::From::client);
}

TEST_CASE("upstream config: every way to balance") {
  const auto balance = [](const std::string& text) {
    const Read read("balance: " + text + "\nendpoints: [127.0.0.1:1]\n");
    REQUIRE_MESSAGE(read.problems.empty(), read.problems.text());
    return read.value.balance.value;
  };
  CHECK(balance("least_connections").policy == Policy::least_connections);
  CHECK(balance("random_two").policy == Policy::random_two);
  CHECK(balance("peak_ewma").policy == Policy::peak_ewma);
  CHECK(balance("{ hash: header.x-user }").policy == Policy::rendezvous);
  CHECK(balance("{ hash: { key: client.ip, table: ring, bounded_load: 1.25 } }").policy == Policy::ring);
  CHECK(balance("{ hash: { key: client.ip, bounded_load: 1.25 } }").bounded_load == 1.25);
  CHECK(balance("{ maglev: cookie.sid }").policy == Policy::maglev);
  CHECK(balance("{ maglev: { key: cookie.sid, size: 2039 } }").maglev_size == 2039);
}

TEST_CASE("upstream config: PINGs of HTTP/2 connections, where HTTP/2 is spoken") {
  const std::string base = "endpoints: [127.0.0.1:1]\nhttp2: { ping_interval: 30s, ping_timeout: 1s }\n";
  for (const std::string more : {"protocol: http2", "tls: true"}) {
    const Read read(base + more + "\n");
    REQUIRE_MESSAGE(read.problems.empty(), read.problems.text());
    CHECK(read.value.pings == PingSettings{.interval = 30s, .timeout = 1s});
  }
  for (const std::string more : {"", "protocol: http1", "protocol: http1\ntls: true", "tls: false"}) {
    CHECK(Read(base + more + "\n").problem().starts_with("http2 does nothing here"));
  }
  CHECK(Read("endpoints: [127.0.0.1:1]\nprotocol: http2\nhttp2: { ping_interval: 100ms }\n")
            .problem()
            .starts_with("endpoints take PINGs more often"));
}

TEST_CASE("upstream config: the Host to send") {
  const auto host = [](const std::string& text) {
    return Read("endpoints: [127.0.0.1:1]\nhost: " + text + "\n").value.host;
  };
  CHECK(host("keep").from == HostRule::From::client);
  CHECK(host("endpoint").from == HostRule::From::endpoint);
  CHECK(host("api.example.com").name == "api.example.com");
}

TEST_CASE("upstream config: a name in an address's place is shown how to be written") {
  const Read read("endpoints: [api.internal:8000]\n");
  CHECK(read.problem() == "'api.internal:8000' is a name, not an address");
  CHECK(read.hint() == "write { dns: api.internal:8000 }");
}

TEST_CASE("upstream config: what makes no sense is refused") {
  const auto problem = [](const std::string& text) { return Read(text).problem(); };
  CHECK(problem("endpoints: ['127.0.0.1:80:80']\n") == "'127.0.0.1:80:80' is not an address");
  CHECK(problem("endpoints: ['127.0.0.1:0']\n") == "'127.0.0.1:0' has port 0");
  CHECK(problem("endpoints: [127.0.0.1:1, 127.0.0.1:1]\n") == "'127.0.0.1:1' is there twice");
  CHECK(problem("endpoints: [{ address: '127.0.0.1:1', backup: true }]\n") == "all endpoints are backups");
  CHECK(problem("endpoints: [{ dns: api.internal }]\n") == "'api.internal' has no port");
  CHECK(problem("endpoints: [{ dns: 'api.internal:1', type: SRV }]\n").starts_with("an SRV name has no port"));
  CHECK(problem("endpoints: [{ address: '127.0.0.1:1', type: A }]\n").starts_with("type is about dns"));
  CHECK(problem("endpoints: [{ address: '127.0.0.1:1', resolve: lazy }]\n").starts_with("resolve is about dns"));
  CHECK(problem("balance: { hash: path }\nslow_start: 30s\nendpoints: [127.0.0.1:1]\n")
            .starts_with("slow_start does nothing"));
  CHECK_FALSE(problem("endpoints: [{ address: '127.0.0.1:1', weight: 0 }]\n").empty());
  CHECK_FALSE(problem("endpoints: []\n").empty());
  CHECK_FALSE(problem("balance: round_robbin\nendpoints: [127.0.0.1:1]\n").empty());
}

TEST_CASE("resolver config: servers are addresses") {
  const config::Read<ResolverSettings> good("servers: [127.0.0.1:5353]\ntimeout: 1s\n");
  CHECK(good.problems.empty());
  CHECK(good.value.settings().servers.size() == 1);
  CHECK(good.value.settings().timeout == 1s);
  const config::Read<ResolverSettings> bad("servers: [dns.google]\n");
  CHECK(bad.problems.size() == 1);
}

TEST_CASE("upstream config: TLS is a word or a block, and verifies unless it is told not to") {
  const std::string endpoints = "endpoints: [127.0.0.1:1]\n";
  CHECK_FALSE(Read(endpoints).value.tls.has_value());
  CHECK_FALSE(Read(endpoints + "tls: false\n").value.tls->is_on);
  const Read word(endpoints + "tls: true\n");
  REQUIRE_MESSAGE(word.problems.empty(), word.problems.text());
  CHECK(word.value.tls->is_on);
  CHECK(word.value.tls->verify == net::TlsClient::Verify::on);
  CHECK(word.value.protocol == Protocol::automatic);
  const Read block(endpoints + "tls: { ca: ca.pem, server_name: api.internal, verify: off }\nprotocol: http1\n");
  REQUIRE_MESSAGE(block.problems.empty(), block.problems.text());
  CHECK(block.value.tls->is_on);
  CHECK(*block.value.tls->ca == "ca.pem");
  CHECK(block.value.tls->server_name == "api.internal");
  CHECK(block.value.tls->verify == net::TlsClient::Verify::off);
  CHECK(block.value.protocol == Protocol::http1);
  CHECK(Read(endpoints + "tls: { cert: a.pem }\n").problem() == "'cert' and 'key' go together");
}

}  // namespace weir::upstream

namespace weir::upstream {

TEST_CASE("upstream config: a health check is a path, or a block") {
  const Read brief("health_check: /healthz\nendpoints: [127.0.0.1:1]\n");
  REQUIRE_MESSAGE(brief.problems.empty(), brief.problems.text());
  const auto& check = *brief.value.health_check;
  CHECK(check.path == "/healthz");
  CHECK(check.rise == 2);
  CHECK(check.fall == 3);
  CHECK(check.pause(false) == 2s);
  CHECK(check.pause(true) == 500ms);
  CHECK(check.statuses.has(399));
  CHECK_FALSE(check.statuses.has(400));
  const Read whole(R"(health_check: { path: /up, method: HEAD, host: a.b, headers: { x-a: b }, expect: [200, 204-206],
  interval: 5s, fast_interval: 1s, timeout: 500ms, rise: 1, fall: 2, jitter: 20%, initial: checking, port: 81 }
endpoints: [127.0.0.1:1]
)");
  REQUIRE_MESSAGE(whole.problems.empty(), whole.problems.text());
  CHECK(whole.value.health_check->statuses.has(205));
  CHECK_FALSE(whole.value.health_check->statuses.has(201));
  CHECK(whole.value.health_check->initial == Health::checking);
}

TEST_CASE("upstream config: nonsense in a health check is told") {
  const auto problem = [](const std::string& block) {
    return Read("health_check: " + block + "\nendpoints: [127.0.0.1:1]\n").problem();
  };
  CHECK(problem("healthz") == "'healthz' is not a path");
  CHECK(problem("{ expect: 99 }") == "'99' is not a status or a range of them");
  CHECK(problem("{ expect: 300-200 }") == "'300-200' is not a status or a range of them");
  CHECK(problem("{ method: CONNECT }") == "'CONNECT' is not a method for checks");
  CHECK(problem("{ method: HEAD, body: ok }") == "the answer to HEAD has no body");
  CHECK(problem("{ type: tcp, path: / }") == "path is about checks of type http");
  CHECK(problem("{ service: a }") == "service is about checks of type grpc");
  CHECK_FALSE(problem("{ rise: 0 }").empty());
  CHECK_FALSE(problem("{ interval: 0s }").empty());
  CHECK(Read("health_header: x-a\nendpoints: [127.0.0.1:1]\n").problem().starts_with("without health_check"));
}

TEST_CASE("upstream config: outlier detection has Envoy's defaults, and each detector may be off") {
  const Read read("outlier_detection: {}\nendpoints: [127.0.0.1:1]\n");
  REQUIRE_MESSAGE(read.problems.empty(), read.problems.text());
  CHECK(read.value.outlier_detection->consecutive_5xx == 5);
  CHECK(read.value.outlier_detection->success_rate->stdev_factor == 1.9);
  CHECK_FALSE(read.value.outlier_detection->failure_percentage.has_value());
  const Read other(
      "outlier_detection: { success_rate: none, failure_percentage: 50%, base_ejection_time: 10m }\n"
      "endpoints: [127.0.0.1:1]\n");
  REQUIRE_MESSAGE(other.problems.empty(), other.problems.text());
  CHECK_FALSE(other.value.outlier_detection->success_rate.has_value());
  CHECK(other.value.outlier_detection->max_ejection_time == 10min);
  CHECK(other.value.outlier_detection->failure_percentage->threshold == Ratio{0.5});
}

}  // namespace weir::upstream
