#include "runtime/store_settings.h"

#include <doctest/doctest.h>

#include "exchange/store_failure.h"
#include "unit/config/bench.h"

namespace weir::runtime {
namespace {

using namespace std::chrono_literals;

struct File {
  StoreSettings store;
};
void decode(config::Reader& r, File& out) { r.optional("store", out.store, "the block under test"); }

struct Read : config::Read<File> {
  explicit Read(std::string text) : config::Read<File>(std::move(text)) {}
  std::string problem() const { return problems.empty() ? "" : problems.all().front().message; }
  const StoreSettings& store() const { return value.store; }
};

}  // namespace

TEST_CASE("store settings: left out, the store is embedded") {
  const Read read("{}\n");
  CHECK(read.store().is_embedded());
  CHECK(read.store().on_failure == store::OnFailure::allow);
  CHECK(Read("store: { on_failure: local }\n").store().is_embedded());
}

TEST_CASE("store settings: an address is enough; the rest has defaults") {
  const Read read("store: redis://cache:6380/2\n");
  REQUIRE_MESSAGE(read.problems.empty(), read.problems.text());
  const auto settings = read.store().settings({});
  CHECK(settings.servers.front().text() == "cache:6380");
  CHECK(settings.servers.front().database == 2);
  CHECK(settings.timeout == 50ms);
  CHECK(settings.prefix == "weir:");
  CHECK_FALSE(settings.is_cluster);
}

TEST_CASE("store settings: a login beside the address is that of addresses without one") {
  const Read read("store: { redis: unix:/run/redis.sock, user: weir, password: s3cret, database: 4 }\n");
  REQUIRE_MESSAGE(read.problems.empty(), read.problems.text());
  const auto& server = read.store().addresses.front();
  CHECK(server.user == "weir");
  CHECK(server.password == "s3cret");
  CHECK(server.database == 4);
  CHECK(Read("store: { redis: 'redis://:own@h', password: other }\n").store().addresses.front().password == "own");
}

TEST_CASE("store settings: some nodes of a cluster") {
  const Read read("store: { redis: [redis://a, redis://b:7000], cluster: true }\n");
  REQUIRE_MESSAGE(read.problems.empty(), read.problems.text());
  const auto settings = read.store().settings({});
  CHECK(settings.is_cluster);
  CHECK(settings.servers.size() == 2);
}

TEST_CASE("store settings: sentinels, with their own login and the master's") {
  const Read read(
      "store:\n  sentinel: { master: m, nodes: [10.0.0.1, 'h:1'], password: theirs }\n  password: masters\n");
  REQUIRE_MESSAGE(read.problems.empty(), read.problems.text());
  const auto settings = read.store().settings({});
  CHECK_FALSE(read.store().is_embedded());
  CHECK(settings.sentinel_master == "m");
  CHECK(settings.servers[0].text() == "10.0.0.1:26379");
  CHECK(settings.servers[1].password == "theirs");
  CHECK(settings.master_login.password == "masters");
}

TEST_CASE("store settings: what can't work is told, with what would") {
  CHECK(Read("store: rediss://cache\n").problem().contains("TLS"));
  CHECK(Read("store: { redis: [redis://a, redis://b] }\n").problem().contains("several servers"));
  CHECK(Read("store: { redis: redis://a/1, cluster: true }\n").problem().contains("database 0"));
  CHECK(Read("store: { redis: unix:/a, cluster: true }\n").problem().contains("TCP"));
  CHECK(Read("store: { cluster: true }\n").problem().contains("needs `redis`"));
  CHECK(Read("store: { redis: redis://a, prefix: 'a{b}' }\n").problem().contains("prefix"));
  CHECK(Read("store: { redis: redis://a, timeout: 0s }\n").problem() != "");
  CHECK(Read("store: { redis: redis://a, sentinel: { master: m, nodes: [a] } }\n").problem() != "");
  CHECK(Read("store: { sentinel: { master: m, nodes: ['a:x'] } }\n").problem().contains("not a port"));
  CHECK(Read("store: { redis: redis://a, on_failure: maybe }\n").problem() != "");
}

}  // namespace weir::runtime
