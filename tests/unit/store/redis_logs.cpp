#include "base/log.h"
#include "store/announcer.h"
#include "store/redis_subscriber.h"
#include "unit/loop_bench.h"
#include "unit/store/redis_bench.h"

using namespace weir;
using namespace weir::store;
using namespace std::chrono_literals;

namespace {

/// One of several processes that share a Redis.
struct Instance {
  explicit Instance(const RedisServer& server, Names& heard) : worker(RedisWorker::settings(server.address(), 200ms)) {
    subscriber.emplace(worker.loop, worker.shared, channels);
    announcer.use(*worker.store);
    following = announcer.follow("news", {[&heard](const Entry& entry) { heard.emplace_back(entry.value); },
                                          [&heard] { heard.emplace_back("LOST"); }});
  }
  void append(std::string text) { announcer.append("news", std::move(text), 4, "ALL"); }

  RedisWorker worker;
  Channels channels;
  std::optional<RedisSubscriber> subscriber;
  Announcer announcer{worker.loop, channels};
  LogFollower::Subscription following;
};

struct Bench {
  RedisServer server{{}, RedisServer::Tcp::no, RedisServer::Clock::real};
  Names one_heard;
  Names other_heard;
  Instance one{server, one_heard};
  Instance other{server, other_heard};

  Bench() { log::set_level(log::Level::error); }
  bool both_hear(const Names& expected) {
    return one.worker.until([&] {
      other.worker.loop.poll();
      return one_heard == expected && other_heard == expected;
    });
  }
  void both_turn(Duration time) {
    const auto end = std::chrono::steady_clock::now() + time;
    while (std::chrono::steady_clock::now() < end) {
      one.worker.loop.poll();
      other.worker.loop.poll();
    }
  }
};

}  // namespace

TEST_CASE("redis logs: what one instance appends all hear, in one order") {
  Bench bench;
  bench.one.append("one");
  REQUIRE(bench.both_hear({"one"}));
  bench.other.append("two");
  REQUIRE(bench.both_hear({"one", "two"}));
  bench.one.append("three");
  CHECK(bench.both_hear({"one", "two", "three"}));
  bench.both_turn(1200ms);
  CHECK(bench.both_hear({"one", "two", "three"}));
}

TEST_CASE("redis logs: who hears no words finds out nevertheless") {
  Bench bench;
  bench.other.subscriber.reset();
  bench.one.append("one");
  CHECK(bench.both_hear({"one"}));
}

TEST_CASE("redis logs: what is appended while the store hangs is heard when it goes on") {
  Bench bench;
  bench.one.append("one");
  REQUIRE(bench.both_hear({"one"}));
  bench.server.stop_turning();
  bench.one.append("two");
  bench.both_turn(500ms);
  CHECK(bench.other_heard == Names{"one"});
  bench.server.turn_again();
  REQUIRE(bench.one.worker.until([&] {
    bench.other.worker.loop.poll();
    return bench.other_heard.size() >= 2 && bench.one_heard == bench.other_heard;
  }));
  // The call that was given up may have been heard, too.
  bench.both_turn(1200ms);
  for (size_t i = 1; i < bench.other_heard.size(); ++i) CHECK(bench.other_heard[i] == "two");
  CHECK(bench.one_heard == bench.other_heard);
}

TEST_CASE("redis logs: a server that comes back empty has lost what it had, and takes what is new") {
  Bench bench;
  bench.one.append("one");
  REQUIRE(bench.both_hear({"one"}));
  bench.server.kill();
  bench.one.append("two");
  bench.both_turn(300ms);
  bench.server.start();
  CHECK(bench.both_hear({"one", "LOST", "two"}));
}

TEST_CASE("redis logs: who was cut off while the log forgot what it hasn't heard is told so") {
  Bench bench;
  bench.one.append("one");
  REQUIRE(bench.both_hear({"one"}));
  for (int i = 0; i < 6; ++i) bench.one.append(std::to_string(i));
  REQUIRE(bench.one.worker.until([&] { return bench.one_heard.size() >= 7; }));
  CHECK(bench.one_heard == Names{"one", "0", "1", "2", "3", "4", "5"});
  bench.one_heard.clear();
  REQUIRE(bench.other.worker.until([&] { return bench.other_heard.size() >= 6; }));
  CHECK(bench.other_heard == Names{"one", "LOST", "2", "3", "4", "5"});
}

TEST_CASE("redis logs: a log that was deleted is lost") {
  Bench bench;
  bench.one.append("one");
  REQUIRE(bench.both_hear({"one"}));
  bench.server.say("FLUSHALL");
  CHECK(bench.both_hear({"one", "LOST"}));
  bench.other.append("two");
  CHECK(bench.both_hear({"one", "LOST", "two"}));
}
