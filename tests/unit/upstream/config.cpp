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
  CHECK(balance("{ hash: header.x-user }").choose_table);
  CHECK(balance("{ hash: { key: client.ip, table: ring, bounded_load: 1.25 } }").policy == Policy::ring);
  CHECK(balance("{ hash: { key: client.ip, bounded_load: 1.25 } }").bounded_load == 1.25);
  CHECK(balance("{ maglev: cookie.sid }").policy == Policy::maglev);
  CHECK(balance("{ maglev: { key: cookie.sid, size: 2039 } }").maglev_size == 2039);
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
