#include "store/redis_store.h"

#include <doctest/doctest.h>

#include <csignal>
#include <thread>

#include "store/redis_heartbeat.h"
#include "store/redis_keys.h"
#include "store/redis_subscriber.h"
#include "unit/store/redis_bench.h"

using namespace weir;
using namespace weir::store;
using namespace std::chrono_literals;
using Outcome = StoreObserver::Outcome;

namespace {

/// hiredis writes to servers that may be gone; the process ignores the signal, as ours does.
[[maybe_unused]] const auto kBefore = std::signal(SIGPIPE, SIG_IGN);

const Limit kHourly{"api", Limit::Algorithm::gcra, 100, 1h, 100};

Result<Decision> take(RedisWorker& worker, const Limit& limit = kHourly, std::string_view key = "k") {
  const Take one[] = {{limit, key}};
  return worker.finish(worker.store->take(worker.caller(), one));
}

}  // namespace

TEST_CASE("redis store: workers on one server share a quota") {
  RedisServer server;
  RedisWorker one(RedisWorker::settings(server.address()));
  RedisWorker two(RedisWorker::settings(server.address()));
  const Limit limit{"shared", Limit::Algorithm::fixed_window, 3, 24h};
  CHECK(take(one, limit)->allowed);
  CHECK(take(two, limit)->allowed);
  CHECK(take(one, limit)->allowed);
  CHECK_FALSE(take(two, limit)->allowed);
}

TEST_CASE("redis store: every key is given its end with its first write") {
  RedisServer server;
  RedisWorker worker(RedisWorker::settings(server.address()));
  REQUIRE(take(worker)->allowed);
  REQUIRE(worker.put("a", "b"));
  REQUIRE(worker.finish(worker.store->claim(worker.caller(), "c", {"me", "fp", 1s, 2s})));
  REQUIRE(worker.finish(worker.store->append(worker.caller(), "log", "e", 5)));
  for (const auto* key : {"weir:q:{k}:api", "weir:v:a", "weir:c:c", "weir:l:log"}) {
    INFO(key);
    const auto left = server.say(std::string("PTTL ") + key);
    CHECK(left.starts_with(":"));
    CHECK(std::stoll(left.substr(1)) > 0);
  }
}

TEST_CASE("redis store: a key lives as long as what it says matters") {
  RedisServer server;
  RedisWorker worker(RedisWorker::settings(server.address()));
  const auto left = [&](std::string_view key) {
    // A millisecond may pass between the command and this one.
    const std::chrono::milliseconds exact(std::stoll(server.say("PTTL " + std::string(key)).substr(1)));
    return std::chrono::ceil<std::chrono::seconds>(exact);
  };
  const auto to_edge = [&] {  // of a minute of the calendar
    const Limit minute{"edge", Limit::Algorithm::fixed_window, 1, 1min};
    server.pass(take(worker, minute, "e")->quotas[0].reset_after);
  };
  to_edge();
  const Limit even{"even", Limit::Algorithm::gcra, 60, 1h, 10};
  const Limit narrow{"narrow", Limit::Algorithm::gcra, 1, 1h, 1};
  const Take two[] = {{even, "k", 2}, {narrow, "k"}};
  REQUIRE(worker.finish(worker.store->take(worker.caller(), two))->allowed);
  CHECK(left("weir:q:{k}:even") == 2min);
  CHECK(left("weir:q:{k}:narrow") == 1h);
  REQUIRE_FALSE(worker.finish(worker.store->take(worker.caller(), two))->allowed);
  CHECK(left("weir:q:{k}:even") == 2min);
  server.pass(1min);
  for (const auto& [name, algorithm, lives] : {std::tuple{"fixed", Limit::Algorithm::fixed_window, Duration(1min)},
                                               std::tuple{"slide", Limit::Algorithm::sliding_window, Duration(2min)},
                                               std::tuple{"log", Limit::Algorithm::sliding_log, Duration(1min)}}) {
    INFO(name);
    REQUIRE(take(worker, {name, algorithm, 5, 1min})->allowed);
    CHECK(left(std::string("weir:q:{k}:") + name) == lives);
  }
  REQUIRE(worker.put("a", "b"));
  CHECK(left("weir:v:a") == 1min);
  REQUIRE(worker.finish(worker.store->append(worker.caller(), "log", "e", 5)));
  CHECK(left("weir:l:log") == 24h * 30);
  REQUIRE(worker.finish(worker.store->beat(worker.caller())));
  CHECK(left("weir:i:instances") == 5s);
}

TEST_CASE("redis store: a claim lives until its lease, or what is remembered of it, is over") {
  RedisServer server;
  RedisWorker worker(RedisWorker::settings(server.address()));
  const auto left = [&] {
    const std::chrono::milliseconds exact(std::stoll(server.say("PTTL weir:c:c").substr(1)));
    return std::chrono::ceil<std::chrono::seconds>(exact);
  };
  const auto claim = [&](std::string_view owner, ClaimTerms::Lapsed lapsed = ClaimTerms::Lapsed::tell) {
    const auto made = worker.finish(worker.store->claim(worker.caller(), "c", {owner, "fp", 10s, 60s, lapsed}));
    REQUIRE(made);
    return *made;
  };
  CHECK(claim("a").state == Claim::State::mine);
  CHECK(left() == 60s);
  server.pass(9s);
  CHECK(claim("b").state == Claim::State::running);
  CHECK(claim("b").left == 1s);
  CHECK(*worker.finish(worker.store->renew(worker.caller(), "c", "a", 10s)));
  CHECK(left() == 51s);
  server.pass(10s);
  CHECK(claim("b").state == Claim::State::lapsed);
  CHECK(*worker.finish(worker.store->renew(worker.caller(), "c", "a", 100s)));
  CHECK(left() == 100s);
  server.pass(100s);
  CHECK(claim("b", ClaimTerms::Lapsed::take_over).state == Claim::State::mine);
  CHECK_FALSE(*worker.finish(worker.store->renew(worker.caller(), "c", "a", 10s)));
  CHECK_FALSE(*worker.finish(worker.store->complete(worker.caller(), "c", "a", "late", 5s)));
  CHECK(*worker.finish(worker.store->complete(worker.caller(), "c", "b", "done", 5s)));
  CHECK(left() == 5s);
  CHECK_FALSE(*worker.finish(worker.store->release(worker.caller(), "c", "b")));
  CHECK(claim("d").result == "done");
  server.pass(5s);
  CHECK(claim("d").state == Claim::State::mine);
}

TEST_CASE("redis store: a clock that goes back refuses nobody for as long as it went") {
  RedisServer server;
  RedisWorker worker(RedisWorker::settings(server.address()));
  const Limit even{"even", Limit::Algorithm::gcra, 10, 1s, 5};
  for (int i = 0; i < 5; ++i) REQUIRE(take(worker, even)->allowed);
  const Limit exact{"exact", Limit::Algorithm::sliding_log, 2, 1s};
  for (int i = 0; i < 2; ++i) REQUIRE(take(worker, exact)->allowed);
  server.pass(-1h);
  const auto refused = take(worker, even);
  REQUIRE(refused);
  CHECK_FALSE(refused->allowed);
  CHECK(refused->quotas[0].retry_after == 100ms);
  CHECK(take(worker, exact)->allowed);
  server.pass(100ms);
  CHECK(take(worker, even)->allowed);
  CHECK_FALSE(take(worker, even)->allowed);
}

TEST_CASE("redis store: a clock that goes back keeps no dead instance in the count") {
  RedisServer server;
  RedisWorker one(RedisWorker::settings(server.address()));
  RedisWorker two(RedisWorker::settings(server.address()));
  CHECK(*one.finish(one.store->beat(one.caller())) == 1);
  CHECK(*two.finish(two.store->beat(two.caller())) == 2);
  server.pass(-1h);
  CHECK(*two.finish(two.store->beat(two.caller())) == 1);
  CHECK(*one.finish(one.store->beat(one.caller())) == 2);
  server.pass(4s);
  CHECK(*two.finish(two.store->beat(two.caller())) == 2);
  server.pass(2s);
  CHECK(*two.finish(two.store->beat(two.caller())) == 1);
}

TEST_CASE("redis store: a server that came back empty is taught the scripts again, within the call") {
  RedisServer server;
  RedisWorker worker(RedisWorker::settings(server.address()));
  REQUIRE(take(worker)->allowed);
  server.say("SCRIPT FLUSH");
  CHECK(take(worker)->allowed);
  CHECK(take(worker)->quotas[0].remaining == 97);
  CHECK(worker.observer.of(Outcome::failed) == 0);
}

TEST_CASE("redis store: a call that nobody waits for any more is done, and its answer dropped") {
  RedisServer server;
  RedisWorker worker(RedisWorker::settings(server.address()));
  REQUIRE(worker.put("before", "x"));
  {
    Arena short_lived(worker.blocks);
    auto call = worker.store->put({short_lived}, "k", "v", 1min);
    REQUIRE_FALSE(call.start());
    call.reset();
  }
  CHECK(worker.get("k")->value() == "v");
}

TEST_CASE("redis store: calls of one turn are answered each its own") {
  RedisServer server;
  RedisWorker worker(RedisWorker::settings(server.address()));
  REQUIRE(worker.finish(worker.store->append(worker.caller(), "other", "so that the script is known", 1)));
  std::vector<Task<Result<std::string_view>>> calls;
  for (int i = 0; i < 300; ++i) {
    calls.push_back(worker.store->append(worker.caller(), "log", worker.arena.copy(std::to_string(i)), 1000));
    REQUIRE_FALSE(calls.back().start());
    if (i % 3 == 0) calls.back().reset();
  }
  for (auto& call : calls) {
    if (call) REQUIRE(worker.until([&] { return call.is_done(); }));
  }
  const auto entries = worker.finish(worker.store->read(worker.caller(), "log", "", 1000));
  REQUIRE(entries->size() == 300);
  CHECK((*entries)[299].value == "299");
  CHECK((*entries)[299].id == *calls[299].take());
}

TEST_CASE("redis store: a value of many reads and writes comes back whole") {
  RedisServer server;
  RedisWorker worker(RedisWorker::settings(server.address()));
  std::string large(8 << 20, 'x');
  for (size_t i = 0; i < large.size(); i += 997) large[i] = static_cast<char>(i % 251);
  REQUIRE(worker.put("large", large));
  CHECK(worker.get("large")->value() == large);
}

TEST_CASE("redis store: a server that hangs costs the timeout, then nothing, and one call a second finds it again") {
  RedisServer server;
  RedisWorker worker(RedisWorker::settings(server.address(), 100ms));
  REQUIRE(worker.until([&] { return worker.put("k", "v").has_value(); }));
  server.stop_turning();
  for (int i = 0; i < 5; ++i) {
    const auto begun = std::chrono::steady_clock::now();
    const auto failed = worker.get("k");
    REQUIRE_FALSE(failed.has_value());
    CHECK(failed.error().code == ErrorCode::store_unavailable);
    CHECK(std::chrono::steady_clock::now() - begun < 2s);
  }
  CHECK(worker.shared->health.state() == StoreState::down);
  CHECK(worker.observer.of(Fault::timeout) == 5);
  for (int i = 0; i < 100; ++i) CHECK_FALSE(worker.get("k").has_value());
  CHECK(worker.observer.of(Outcome::spared) >= 98);

  server.turn_again();
  CHECK(worker.until([&] { return worker.get("k").has_value(); }));
  CHECK(worker.shared->health.state() == StoreState::degraded);
}

TEST_CASE("redis store: a server killed under a call and started again, empty, is found again") {
  RedisServer server;
  RedisWorker worker(RedisWorker::settings(server.address(), 1s));
  REQUIRE(take(worker)->allowed);
  server.stop_turning();
  const Take one[] = {{kHourly, "k"}};
  auto call = worker.store->take(worker.caller(), one);
  REQUIRE_FALSE(call.start());
  worker.loop.poll();
  server.kill();
  REQUIRE(worker.until([&] { return call.is_done(); }));
  CHECK(call.take().error().code == ErrorCode::store_unavailable);
  CHECK(worker.observer.of(Fault::connection_lost) == 1);

  CHECK_FALSE(take(worker).has_value());
  server.start();
  REQUIRE(worker.until([&] { return take(worker).has_value(); }));
  CHECK(take(worker)->quotas[0].remaining == 98);
}

namespace {

/// A worker whose store has connections for large values, which carry two calls at a time.
struct BulkWorker {
  CountingObserver observer;  // of the large values
  RedisWorker worker;
  std::shared_ptr<RedisShared> bulk;
  explicit BulkWorker(const RedisServer& server, Duration timeout = 5s)
      : worker(RedisWorker::settings(server.address(), timeout)),
        bulk(std::make_shared<RedisShared>(RedisWorker::settings(server.address(), timeout), observer,
                                           RedisShared::Backlog{2, 1 << 20}, StoreHealth::log_bulk_change)) {
    worker.shared->bulk = bulk;
  }
  auto get() { return worker.store->bulk().get(worker.caller(), "k", 100); }
};

}  // namespace

TEST_CASE("redis store: calls for large values share neither connection nor health with the others") {
  RedisServer server;
  BulkWorker both(server);
  auto& worker = both.worker;
  REQUIRE(worker.put("k", "v"));
  CHECK(worker.finish(both.get())->value() == "v");
  CHECK(&worker.store->bulk() == &worker.store->bulk());
  CHECK(&worker.store->bulk().bulk() == &worker.store->bulk());
  CHECK(server.say("INFO clients").find("connected_clients:3") != std::string::npos);  // who asks is the third
  for (int i = 0; i < 20; ++i) both.bulk->health.failed(*both.bulk->health.server(server.address().text()), "x", {});
  CHECK(both.bulk->health.state() == StoreState::down);
  CHECK(worker.shared->health.state() == StoreState::up);
  CHECK(worker.get("k")->value() == "v");
  CHECK(both.observer.of(Outcome::ok) == 1);
}

TEST_CASE("redis store: more large values at once than are allowed are refused, which says nothing of the server") {
  RedisServer server;
  BulkWorker both(server);
  auto& worker = both.worker;
  REQUIRE(worker.until([&] { return worker.finish(both.get()).has_value(); }));
  server.stop_turning();
  {
    auto first = both.get();
    auto second = both.get();
    REQUIRE_FALSE(first.start());
    REQUIRE_FALSE(second.start());
    for (int i = 0; i < 20; ++i) CHECK_FALSE(worker.finish(both.get()).has_value());
  }
  CHECK_FALSE(worker.finish(both.get()).has_value());  // both answers are still to come
  CHECK(both.observer.of(Outcome::full) == 21);
  CHECK(both.bulk->health.state() == StoreState::up);
  server.turn_again();
  CHECK(worker.until([&] { return worker.finish(both.get()).has_value(); }));
}

TEST_CASE("redis store: a full server refuses values, which is neither a wait nor a lost server") {
  RedisServer server({"--maxmemory", "1", "--maxmemory-policy", "noeviction"});
  RedisWorker worker(RedisWorker::settings(server.address()));
  const auto failed = worker.put("k", "v");
  REQUIRE_FALSE(failed.has_value());
  CHECK(failed.error().detail == "the store is full");
  CHECK(worker.observer.of(Fault::out_of_memory) == 1);
  for (int i = 0; i < 20; ++i) CHECK_FALSE(worker.put("k", "v").has_value());
  CHECK(worker.get("k").has_value());
  CHECK(worker.shared->health.state() == StoreState::up);
}

namespace {

constexpr Limit::Algorithm kAlgorithms[] = {Limit::Algorithm::gcra, Limit::Algorithm::sliding_window,
                                            Limit::Algorithm::fixed_window, Limit::Algorithm::sliding_log};

/// The part of the memory that the server may use which it uses from now on; 0: all that there is.
void use_of_memory(RedisServer& server, double part) {
  const auto info = server.say("INFO memory");
  const auto used = std::stod(info.substr(info.find("used_memory:") + 12));
  server.say("CONFIG SET maxmemory " + std::to_string(part > 0 ? static_cast<uint64_t>(used / part) : 0));
}

bool leaves_out(const Result<Decision>& decision) {
  return decision && decision->allowed && decision->is_partial && decision->quotas[0].is_left_out;
}

}  // namespace

TEST_CASE("redis store: a server without memory counts the keys that it knows and leaves out those that it doesn't") {
  for (const auto algorithm : kAlgorithms) {
    for (const auto* most : {"1", "nearly"}) {
      INFO(static_cast<int>(algorithm), " ", most);
      RedisServer server;
      RedisWorker worker(RedisWorker::settings(server.address()));
      const Limit limit{"api", algorithm, 3, 24h, 3};
      REQUIRE(take(worker, limit, "known")->quotas[0].remaining == 2);
      if (most == std::string_view("1")) server.say("CONFIG SET maxmemory 1");
      else use_of_memory(server, 0.93);
      int number = 0;
      REQUIRE(worker.until([&] { return leaves_out(take(worker, limit, "new" + std::to_string(number++))); }));
      const auto keys = server.say("DBSIZE");
      for (int i = 0; i < 20; ++i) CHECK(leaves_out(take(worker, limit, "other" + std::to_string(i))));
      CHECK(server.say("DBSIZE") == keys);
      for (int left = 1; left >= 0; --left) {
        const auto known = take(worker, limit, "known");
        CHECK(known->allowed);
        CHECK_FALSE(known->is_partial);
        CHECK(known->quotas[0].remaining == static_cast<uint64_t>(left));
      }
      CHECK_FALSE(take(worker, limit, "known")->allowed);
      CHECK(worker.shared->health.state() == StoreState::up);

      use_of_memory(server, 0);
      CHECK(worker.until([&] { return !take(worker, limit, "late")->is_partial; }));
    }
  }
}

TEST_CASE("redis store: of several quotas a full server counts the known ones") {
  RedisServer server;
  RedisWorker worker(RedisWorker::settings(server.address()));
  const Limit each{"each", Limit::Algorithm::gcra, 2, 24h, 2, 0, "slot"};
  const Limit all{"all", Limit::Algorithm::gcra, 9, 24h, 9, 0, "slot"};
  REQUIRE(take(worker, each, "ann")->allowed);
  server.say("CONFIG SET maxmemory 1");
  const Take both[] = {{all, "new"}, {each, "ann"}};
  const auto decision = worker.finish(worker.store->take(worker.caller(), both));
  REQUIRE(decision->allowed);
  CHECK(decision->quotas[0].is_left_out);
  CHECK_FALSE(decision->quotas[1].is_left_out);
  CHECK(decision->quotas[1].remaining == 0);
  CHECK_FALSE(worker.finish(worker.store->take(worker.caller(), both))->allowed);
}

TEST_CASE("redis store: while memory is tight a client that brings very many keys brings no more, and others do") {
  RedisServer server;
  RedisWorker worker(RedisWorker::settings(server.address()));
  int number = 0;
  const auto bring = [&](std::string_view client) {
    const auto key = "k" + std::to_string(number++);
    const Take one[] = {{kHourly, key, 1, client}};
    return leaves_out(worker.finish(worker.store->take(worker.caller(), one)));
  };
  for (uint32_t i = 0; i < 2 * NewKeys::kMost; ++i) REQUIRE_FALSE(bring("2001:db8:1:1::1"));
  use_of_memory(server, 0.8);
  std::this_thread::sleep_for(150ms);  // the next take looks
  for (uint32_t i = 0; i < NewKeys::kMost - 1; ++i) REQUIRE_FALSE(bring("2001:db8:1:1::1"));
  CHECK(worker.until([&] { return bring("2001:db8:1:1::1"); }));
  for (int i = 0; i < 100; ++i) CHECK(bring("2001:db8:1:ffff::1"));  // the same /48
  for (int i = 0; i < 100; ++i) CHECK_FALSE(bring("2001:db8:2::1"));
  const Take known[] = {{kHourly, "k0", 1, "2001:db8:1:1::1"}};
  CHECK_FALSE(worker.finish(worker.store->take(worker.caller(), known))->is_partial);
}

TEST_CASE("redis store: a server that evicts is never short of memory") {
  RedisServer server({"--maxmemory-policy", "allkeys-lru"});
  RedisWorker worker(RedisWorker::settings(server.address()));
  const std::string value(1000, 'x');
  for (int i = 0; i < 2000; ++i) REQUIRE(worker.put(std::to_string(i), value));  // there is something to evict
  use_of_memory(server, 0.95);
  std::this_thread::sleep_for(150ms);
  for (int i = 0; i < 10; ++i) CHECK_FALSE(leaves_out(take(worker, kHourly, std::to_string(i))));
}

TEST_CASE("redis store: a full server goes on hearing who is alive and what is told to all") {
  RedisServer server({"--maxmemory", "1", "--maxmemory-policy", "noeviction"});
  RedisWorker worker(RedisWorker::settings(server.address()));
  CHECK(*worker.finish(worker.store->beat(worker.caller())) == 1);
  CHECK(worker.finish(worker.store->append(worker.caller(), "log", "e", 5)).has_value());
}

TEST_CASE("redis store: a replica takes no writes") {
  RedisServer server;
  server.say("REPLICAOF 127.0.0.1 1");
  RedisWorker worker(RedisWorker::settings(server.address()));
  CHECK_FALSE(take(worker).has_value());
  CHECK(worker.observer.of(Fault::read_only) == 1);
}

TEST_CASE("redis store: it logs in, with a user too, and chooses its database") {
  RedisServer server({"--requirepass", "s3cret"});
  auto address = server.address();
  address.password = "s3cret";
  address.database = 3;
  RedisWorker worker(RedisWorker::settings(address));
  REQUIRE(worker.put("k", "v"));
  address.database = 0;
  address.user = "default";
  RedisWorker other(RedisWorker::settings(address));
  CHECK_FALSE(other.get("k")->has_value());
}

TEST_CASE("redis store: a login that is refused is told as such") {
  RedisServer server({"--requirepass", "s3cret"});
  auto address = server.address();
  RedisWorker without(RedisWorker::settings(address));
  CHECK_FALSE(without.get("k").has_value());
  CHECK(without.observer.of(Fault::auth) == 1);
  address.password = "wrong";
  RedisWorker wrong(RedisWorker::settings(address));
  CHECK(wrong.get("k").error().detail == "the store refused the login");
}

TEST_CASE("redis store: it speaks to a server on TCP, by address or by name") {
  RedisServer server({}, RedisServer::Tcp::yes);
  auto address = server.tcp_address();
  RedisWorker worker(RedisWorker::settings(address));
  CHECK(worker.put("k", "v"));
  address.host = "localhost";
  RedisWorker named(RedisWorker::settings(address));
  CHECK(named.get("k")->value() == "v");
}

TEST_CASE("redis store: what one process publishes, all hear") {
  RedisServer server;
  RedisWorker worker(RedisWorker::settings(server.address()));
  Channels channels;
  RedisSubscriber subscriber(worker.loop, worker.shared, channels);
  std::string heard;
  const auto subscription = channels.subscribe("purge", [&](std::string_view text) { heard = text; });
  const auto say = [&] { worker.finish(worker.store->publish(worker.caller(), "purge", "a{b}")); };
  CHECK(worker.until([&] {
    say();
    return heard == "a{b}";
  }));
  server.kill();
  server.start();
  heard.clear();
  CHECK(worker.until([&] {
    say();
    return heard == "a{b}";
  }));
}

TEST_CASE("redis store: instances count each other, and those that fall silent no more") {
  RedisServer server;
  RedisWorker one(RedisWorker::settings(server.address()));
  RedisWorker two(RedisWorker::settings(server.address()));
  CHECK(*one.finish(one.store->beat(one.caller())) == 1);
  CHECK(*two.finish(two.store->beat(two.caller())) == 2);
  server.pass(6s);
  CHECK(*two.finish(two.store->beat(two.caller())) == 1);
}

TEST_CASE("redis heartbeat: a server that comes back empty and goes at once leaves the fleet as large as it was") {
  RedisServer server;
  RedisWorker worker(RedisWorker::settings(server.address()));
  RedisWorker two(RedisWorker::settings(server.address()));
  RedisWorker three(RedisWorker::settings(server.address()));
  REQUIRE(two.finish(two.store->beat(two.caller())));
  REQUIRE(three.finish(three.store->beat(three.caller())));
  const RedisHeartbeat heartbeat(worker.loop, worker.shared);
  REQUIRE(worker.until([&] { return worker.shared->instances == 3; }));
  server.kill();
  server.start();
  const int before = worker.observer.of(Outcome::ok);
  REQUIRE(worker.until([&] { return worker.observer.of(Outcome::ok) > before; }));
  server.kill();
  worker.loop.poll();
  CHECK(worker.shared->instances == 3);
}

TEST_CASE("redis store: it may go while calls are under way") {
  RedisServer server;
  RedisWorker worker(RedisWorker::settings(server.address()));
  REQUIRE(worker.put("k", "v"));
  auto call = worker.store->get(worker.caller(), "k", 1000);
  REQUIRE_FALSE(call.start());
  worker.loop.poll();
  call.reset();
  worker.store.reset();
  worker.loop.poll();
}

TEST_CASE("redis store: what clients choose can't leave its place in a key, nor choose a slot") {
  BlockPool blocks(4096);
  Arena arena(blocks);
  Limit limit{"na{me}:x"};
  const auto key = [&](std::string_view value) {
    const QuotaKeys keys("weir:", limit);
    return keys.before + std::string(escaped(arena, value)) + keys.after;
  };
  CHECK(key("10.0.0.1") == "weir:q:{10.0.0.1}:na%7Bme%7D%3Ax");
  CHECK(key("}{:%") == "weir:q:{%7D%7B%3A%25}:na%7Bme%7D%3Ax");
  CHECK(key("") == "weir:q:{%}:na%7Bme%7D%3Ax");
  limit.slot = "login";
  CHECK(key("a") == "weir:q:{login}:na%7Bme%7D%3Ax:a");
  CHECK(plain_key(arena, "weir:", "v", "{a}") == "weir:v:%7Ba%7D");
}
