#include "store/redis_link.h"

#include <doctest/doctest.h>

#include <memory>
#include <vector>

#include "store/redis_nodes.h"
#include "store/redis_sentinel.h"
#include "store/redis_subscriber.h"
#include "unit/loop_bench.h"
#include "unit/store/fake_redis.h"
#include "unit/store/redis_bench.h"

using namespace weir;
using namespace weir::store;
using namespace std::chrono_literals;

namespace {

std::optional<std::string> pong(std::string_view) { return "+PONG\r\n"; }

struct Bench : LoopBench {
  CountingObserver observer;
  std::string name = "server";

  RedisShared shared_with(std::vector<RedisAddress> servers) {
    RedisSettings settings;
    settings.servers = std::move(servers);
    return {std::move(settings), observer};
  }
  /// Turns the loop and the servers until all is quiet.
  void turn(std::initializer_list<FakeRedis*> servers) {
    for (int i = 0; i < 8; ++i) {
      loop.poll();
      for (auto* server : servers) server->serve();
    }
  }
  void pass_with(Duration total, std::initializer_list<FakeRedis*> servers) {
    for (Duration passed{}; passed < total; passed += 10ms) {
      clock.advance(10ms);
      loop.poll();
      loop.fire_timers();
      turn(servers);
    }
  }
};

std::unique_ptr<RedisFinder> at(const FakeRedis& server) {
  return std::make_unique<NamedServer>(server.address(), nullptr);
}

}  // namespace

TEST_CASE("redis link: a server that answers PING and closes sees a few connections a second") {
  Bench bench;
  int commands = 0;
  FakeRedis server([&](std::string_view command) -> std::optional<std::string> {
    ++commands;
    return command.contains("PING") ? std::optional<std::string>("+PONG\r\n") : std::nullopt;
  });
  auto shared = bench.shared_with({server.address()});
  RedisLink link(bench.loop, shared, bench.name, at(server), {});
  // Each connection is answered, and closed as soon as it is ready.
  BlockPool blocks(4096);
  for (int i = 0; i < 1000; ++i) {
    bench.pass_with(10ms, {&server});
    if (link.connection()) link.connection()->close("the server closed it");
  }
  CHECK(server.accepted > 10);
  CHECK(server.accepted < 60);
}

TEST_CASE("redis link: a connection that has lasted is made again at once") {
  Bench bench;
  FakeRedis server(pong);
  auto shared = bench.shared_with({server.address()});
  RedisLink link(bench.loop, shared, bench.name, at(server), {});
  bench.turn({&server});
  REQUIRE(link.connection());
  bench.pass_with(1s, {&server});
  link.connection()->close("the server closed it");
  bench.turn({&server});
  CHECK(link.connection() != nullptr);
  CHECK(server.accepted == 2);
  CHECK(link.why_lost() == "the server closed it");
}

TEST_CASE("redis link: while it backs off, nobody waits for it") {
  Bench bench;
  FakeRedis server(pong);
  auto shared = bench.shared_with({server.address()});
  RedisLink link(bench.loop, shared, bench.name, at(server), {});
  bench.turn({&server});
  link.connection()->close("the server closed it");
  bench.turn({&server});
  auto ready = link.ready(bench.loop.now() + 1s);
  REQUIRE(ready.start());
  CHECK(ready.take().error() == Fault::connection_lost);
}

TEST_CASE("redis link: a breach of the protocol is counted, on a connection that never was ready, too") {
  Bench bench;
  FakeRedis server([](std::string_view) { return "+PONG\r\n+PONG\r\n"; });
  auto shared = bench.shared_with({server.address()});
  RedisLink link(bench.loop, shared, bench.name, at(server), {});
  bench.pass_with(1s, {&server});
  CHECK(bench.observer.breaches == server.accepted);
  CHECK(server.accepted > 2);
  CHECK(server.accepted < 20);
  CHECK(link.why_lost() == "bytes that no command has asked for");
}

TEST_CASE("redis subscriber: a server that confirms and closes sees a few connections a second") {
  Bench bench;
  FakeRedis server([&](std::string_view command) -> std::optional<std::string> {
    return command.contains("PING") ? std::optional<std::string>("+PONG\r\n") : std::nullopt;
  });
  const auto shared = std::make_shared<RedisShared>(RedisWorker::settings(server.address()), bench.observer);
  Channels channels;
  RedisSubscriber subscriber(bench.loop, shared, channels);
  bench.pass_with(5s, {&server});
  CHECK(server.accepted > 3);
  CHECK(server.accepted < 40);
}

TEST_CASE("redis subscriber: a server that gives no sign of life is left, and found again") {
  Bench bench;
  bool is_alive = true;
  FakeRedis server([&](std::string_view command) -> std::optional<std::string> {
    if (command.contains("PSUBSCRIBE")) return "*3\r\n$10\r\npsubscribe\r\n$8\r\nweir:m:*\r\n:1\r\n";
    if (is_alive && command.contains("PING")) return is_alive ? "+PONG\r\n" : "";
    return "";
  });
  const auto shared = std::make_shared<RedisShared>(RedisWorker::settings(server.address()), bench.observer);
  Channels channels;
  RedisSubscriber subscriber(bench.loop, shared, channels);
  bench.pass_with(1s, {&server});
  CHECK(server.accepted == 1);
  is_alive = false;  // PING is not answered: +PONG would be no message anyway
  bench.pass_with(12s, {&server});
  CHECK(server.accepted >= 2);
}

TEST_CASE("redis sentinel: four that hang don't keep the fifth from being asked") {
  Bench bench;
  FakeRedis master(pong);
  const auto silent = [](std::string_view) { return ""; };
  FakeRedis one(silent), two(silent), three(silent), four(silent);
  FakeRedis five([&](std::string_view) {
    const auto port = std::to_string(master.port());
    return "*2\r\n$9\r\n127.0.0.1\r\n$" + std::to_string(port.size()) + "\r\n" + port + "\r\n";
  });
  auto shared = bench.shared_with({});
  net::Resolver resolver(bench.loop, {});
  std::vector<SentinelFinder::Sentinel> sentinels;
  for (auto* each : {&one, &two, &three, &four, &five}) sentinels.push_back({at(*each), each->address()});
  SentinelFinder finder(bench.loop, shared, std::move(sentinels), resolver);
  auto found = finder.find();
  REQUIRE_FALSE(found.start());
  bench.turn({&one, &two, &three, &four, &five});
  REQUIRE(found.is_done());
  CHECK(found.take()->port() == master.port());

  auto again = finder.find();  // the same again: those who hang might know another one, for a while
  REQUIRE_FALSE(again.start());
  bench.pass_with(300ms, {&one, &two, &three, &four, &five});
  REQUIRE(again.is_done());
  CHECK(again.take()->port() == master.port());
}

TEST_CASE("redis sentinel: one that names a wrong master forever doesn't outvoice another") {
  Bench bench;
  const auto naming = [](std::string port) {
    return [port](std::string_view) {
      return "*2\r\n$9\r\n127.0.0.1\r\n$" + std::to_string(port.size()) + "\r\n" + port + "\r\n";
    };
  };
  FakeRedis wrong(naming("1")), right(naming("2"));
  auto shared = bench.shared_with({});
  net::Resolver resolver(bench.loop, {});
  std::vector<SentinelFinder::Sentinel> sentinels;
  for (auto* each : {&wrong, &right}) sentinels.push_back({at(*each), each->address()});
  SentinelFinder finder(bench.loop, shared, std::move(sentinels), resolver);
  std::vector<int> given;
  for (int i = 0; i < 4; ++i) {
    auto found = finder.find();
    REQUIRE_FALSE(found.start());
    bench.pass_with(300ms, {&wrong, &right});
    REQUIRE(found.is_done());
    given.push_back(found.take()->port());
  }
  CHECK(given == std::vector<int>{given[0], 3 - given[0], given[0], 3 - given[0]});
}

TEST_CASE("redis sentinel: answers that make no sense are counted, and no address") {
  for (const std::string_view answer :
       {"*0\r\n", "*2\r\n$1\r\na\r\n$1\r\n0\r\n", "*2\r\n$3\r\na b\r\n$1\r\n1\r\n", ":1\r\n", "$1\r\na\r\n",
        "*2\r\n$1\r\na\r\n$5\r\n65536\r\n", "*2\r\n$0\r\n\r\n$1\r\n1\r\n", "*2\r\n$1\r\na\r\n:1\r\n"}) {
    Bench bench;
    FakeRedis server([&](std::string_view) { return std::string(answer); });
    auto shared = bench.shared_with({});
    net::Resolver resolver(bench.loop, {});
    std::vector<SentinelFinder::Sentinel> sentinels;
    sentinels.push_back({at(server), server.address()});
    SentinelFinder finder(bench.loop, shared, std::move(sentinels), resolver);
    auto found = finder.find();
    REQUIRE_FALSE(found.start());
    bench.turn({&server});
    REQUIRE(found.is_done());
    CHECK(found.take().error() == Fault::unexpected);
    CHECK(bench.observer.of(Fault::unexpected) == 1);
  }
}

TEST_CASE("redis nodes: a server that sends calls here and there makes no more than a few connections") {
  Bench bench;
  FakeRedis server([](std::string_view) { return "-ERR no\r\n"; });
  auto shared = bench.shared_with({server.address()});
  const_cast<bool&>(shared.settings.is_cluster) = true;
  RedisNodes nodes(bench.loop, shared);
  int followed = 0;
  for (uint16_t i = 0; i < 1000; ++i) {
    const auto kind = i % 2 ? Redirection::Kind::moved : Redirection::Kind::ask;
    followed += nodes.follow({kind, i, "127.0.0.1:" + std::to_string(i + 1)}) != nullptr;
  }
  CHECK(followed >= 3);
  CHECK(followed <= 17);
  CHECK(nodes.of("key") != nullptr);
}

TEST_CASE("redis nodes: hanging masters don't keep the map from being read") {
  Bench bench;
  std::string slots;
  const auto silent = [](std::string_view) { return ""; };
  FakeRedis one(silent), two(silent), three(silent), four(silent);
  FakeRedis seed([&](std::string_view command) { return command.contains("SLOTS") ? slots : "+PONG\r\n"; });
  const auto range = [](int first, int last, const FakeRedis& master) {
    return "*3\r\n:" + std::to_string(first) + "\r\n:" + std::to_string(last) +
           "\r\n*2\r\n$9\r\n127.0.0.1\r\n:" + std::to_string(master.port()) + "\r\n";
  };
  slots =
      "*4\r\n" + range(0, 4000, one) + range(4001, 8000, two) + range(8001, 12000, three) + range(12001, 16383, four);
  auto shared = bench.shared_with({seed.address()});
  const_cast<bool&>(shared.settings.is_cluster) = true;
  RedisNodes nodes(bench.loop, shared);
  const auto all = {&one, &two, &three, &four, &seed};
  bench.pass_with(200ms, all);
  REQUIRE(nodes.of("key")->name != seed.address().text());

  slots = "*1\r\n" + range(0, 16383, seed);
  bench.pass_with(1s, all);  // after a map that has changed
  nodes.failed(*nodes.of("key"), Fault::timeout);
  bench.pass_with(1s, all);
  CHECK(nodes.of("key")->name == seed.address().text());
}
