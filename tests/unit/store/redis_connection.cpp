#include "store/redis_connection.h"

#include <doctest/doctest.h>

#include <array>

#include "net/socket.h"
#include "store/redis_command.h"
#include "unit/loop_bench.h"
#include "unit/peer.h"
#include "unit/store/redis_server.h"

using namespace weir;
using namespace weir::store;
using namespace std::chrono_literals;

namespace {

/// The server's side in the test's hand, on a unix socket without a name in the file system.
struct Bench : LoopBench {
  int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::string folder = [] {
    char name[] = "/tmp/weir-redis-XXXXXX";
    return std::string(::mkdtemp(name));
  }();
  net::Address address = net::Address::unix_path(folder + "/s");
  BlockPool blocks{8 * 1024};
  Arena arena{blocks};
  std::unique_ptr<RedisConnection> connection;
  std::optional<Peer> server;

  Bench() {
    REQUIRE(::bind(listener, address.get(), address.size()) == 0);
    REQUIRE(::listen(listener, 5) == 0);
    connection = std::make_unique<RedisConnection>(loop, address);
    server.emplace(::accept(listener, nullptr, nullptr));
    settle();
  }
  ~Bench() {
    ::close(listener);
    std::filesystem::remove_all(folder);
  }

  static Task<Answer> ask(RedisConnection& connection, Arena& arena, std::string_view command, Time deadline) {
    co_return co_await connection.call(arena, command, deadline);
  }
  Task<Answer> get(std::string_view key) {
    auto task = ask(*connection, arena, redis_command(arena, {"GET", key}), loop.now() + 1s);
    REQUIRE_FALSE(task.start());
    return task;
  }
};

}  // namespace

TEST_CASE("redis connection: answers are the same in whatever fragments they come") {
  const std::string answers =
      "$5\r\nhello\r\n:42\r\n$-1\r\n-OOM no room\r\n*3\r\n$0\r\n\r\n*1\r\n:7\r\n$4\r\na\r\nb\r\n";
  for (const size_t size : {1UZ, 2UZ, 3UZ, 7UZ, 31UZ, answers.size()}) {
    Bench bench;
    std::vector<Task<Answer>> calls;
    for (int i = 0; i < 5; ++i) calls.push_back(bench.get("k"));
    bench.settle();
    for (size_t at = 0; at < answers.size(); at += size) {
      bench.server->send(answers.substr(at, size));
      bench.settle();
    }
    std::vector<Reply> replies;
    for (auto& call : calls) {
      REQUIRE(call.is_done());
      replies.push_back(*call.take());
    }
    CHECK(replies[0].text == "hello");
    CHECK(replies[1].integer == 42);
    CHECK(replies[2].type == Reply::Type::nothing);
    CHECK(fault_of(replies[3]) == Fault::out_of_memory);
    CHECK(replies[4].items.size() == 3);
    CHECK(replies[4][1][0].integer == 7);
    CHECK(replies[4][2].text == "a\r\nb");
    CHECK(replies[4][3].type == Reply::Type::nothing);
  }
}

TEST_CASE("redis connection: the commands of one turn leave together") {
  Bench bench;
  auto first = bench.get("a");
  auto second = bench.get("b");
  CHECK(bench.server->received().empty());
  bench.settle();
  CHECK(bench.server->received() == "*2\r\n$3\r\nGET\r\n$1\r\na\r\n*2\r\n$3\r\nGET\r\n$1\r\nb\r\n");
}

TEST_CASE("redis connection: an answer that nobody waits for is dropped, and the next goes where it belongs") {
  Bench bench;
  auto gone = bench.get("a");
  auto waiting = bench.get("b");
  bench.settle();
  gone.reset();
  bench.server->send("$1\r\na\r\n$1\r\nb\r\n");
  bench.settle();
  REQUIRE(waiting.is_done());
  CHECK(waiting.take()->text == "b");
  CHECK(bench.connection->unanswered() == 0);
}

TEST_CASE("redis connection: whoever waits too long is told, and the late answer is dropped") {
  Bench bench;
  auto late = bench.get("a");
  bench.settle();
  bench.advance(1s);
  REQUIRE(late.is_done());
  CHECK(late.take().error() == Fault::timeout);
  bench.server->send("$1\r\na\r\n");
  bench.settle();
  CHECK(bench.connection->unanswered() == 0);
  auto next = bench.get("b");
  bench.settle();
  bench.server->send("$1\r\nb\r\n");
  bench.settle();
  CHECK(next.take()->text == "b");
}

TEST_CASE("redis connection: an answer that came while the loop was held up is no timeout") {
  Bench bench;
  auto answered = bench.get("a");
  auto unanswered = bench.get("b");
  bench.settle();
  bench.server->send("$1\r\na\r\n");
  bench.clock.advance(3s);
  bench.loop.fire_timers();
  CHECK_FALSE(answered.is_done());
  bench.settle();
  REQUIRE(answered.is_done());
  CHECK(answered.take()->text == "a");
  CHECK_FALSE(unanswered.is_done());
  bench.advance(10ms);
  REQUIRE(unanswered.is_done());
  CHECK(unanswered.take().error() == Fault::timeout);
}

TEST_CASE("redis connection: when it ends, whoever waits is told") {
  for (const bool by_us : {true, false}) {
    Bench bench;
    auto waiting = bench.get("a");
    bench.settle();
    if (by_us) bench.connection->close("enough");
    else bench.server->close();
    bench.settle();
    REQUIRE(waiting.is_done());
    CHECK(waiting.take().error() == Fault::connection_lost);
    CHECK_FALSE(bench.connection->is_open());
    CHECK_FALSE(bench.connection->why_closed().empty());
    auto later = Bench::ask(*bench.connection, bench.arena, "*0\r\n", bench.loop.now() + 1s);
    REQUIRE(later.start());
    CHECK(later.take().error() == Fault::not_connected);
  }
}

TEST_CASE("redis connection: a server that ends it while it is being made ends it once") {
  Bench bench;
  RedisConnection brief(bench.loop, bench.address);
  ::close(::accept(bench.listener, nullptr, nullptr));
  auto waiting = Bench::ask(brief, bench.arena, "*1\r\n$4\r\nPING\r\n", bench.loop.now() + 1s);
  REQUIRE_FALSE(waiting.start());
  bench.settle();
  CHECK_FALSE(brief.is_open());
  REQUIRE(waiting.is_done());
  CHECK(waiting.take().error() == Fault::connection_lost);
}

TEST_CASE("redis connection: it may go before those who wait") {
  Bench bench;
  auto waiting = bench.get("a");
  bench.settle();
  bench.connection.reset();
  bench.settle();
  REQUIRE(waiting.is_done());
  CHECK(waiting.take().error() == Fault::connection_lost);
}

TEST_CASE("redis connection: a server that speaks without being asked is left") {
  Bench bench;
  bench.server->send(":1\r\n");
  bench.settle();
  CHECK_FALSE(bench.connection->is_open());
  CHECK(bench.connection->has_broken_protocol());
}

TEST_CASE("redis connection: a server that speaks another language is left") {
  Bench bench;
  auto waiting = bench.get("a");
  bench.settle();
  bench.server->send("HTTP/1.1 400 Bad Request\r\n\r\n");
  bench.settle();
  CHECK(waiting.take().error() == Fault::connection_lost);
}

TEST_CASE("redis connection: a server that announces a list beyond all sense is left") {
  Bench bench;
  auto waiting = bench.get("a");
  bench.settle();
  bench.server->send("*2147483647\r\n:1\r\n");
  bench.settle();
  REQUIRE(waiting.is_done());
  CHECK(waiting.take().error() == Fault::connection_lost);
}

TEST_CASE("redis connection: more replies than commands are given no further than the commands, and end it") {
  Bench bench;
  auto waiting = bench.get("a");
  bench.settle();
  bench.server->send("+PONG\r\n+PONG\r\n");
  bench.settle();
  REQUIRE(waiting.is_done());
  CHECK(waiting.take()->text == "PONG");
  CHECK_FALSE(bench.connection->is_open());
  CHECK(bench.connection->has_broken_protocol());
  CHECK(bench.connection->why_closed() == "bytes that no command has asked for");
}

TEST_CASE("redis connection: a call may be destroyed at any point of its reply, with its arena") {
  const std::string_view first = "*3\r\n$5\r\nhello\r\n*2\r\n:1\r\n*1\r\n+ok\r\n$-1\r\n";
  for (size_t cut = 0; cut <= first.size(); ++cut) {
    Bench bench;
    BlockPool blocks(4096, 0);
    auto gone_with = std::make_unique<Arena>(blocks);
    auto gone =
        Bench::ask(*bench.connection, *gone_with, redis_command(*gone_with, {"GET", "a"}), bench.loop.now() + 1s);
    REQUIRE_FALSE(gone.start());
    auto waiting = bench.get("b");
    bench.settle();
    if (cut > 0) bench.server->send(first.substr(0, cut));
    if (cut % 2) bench.settle();
    else bench.loop.poll();
    gone.reset();
    gone_with.reset();
    if (cut < first.size()) bench.server->send(first.substr(cut));
    bench.server->send("$1\r\nb\r\n");
    bench.settle();
    REQUIRE(waiting.is_done());
    CHECK(waiting.take()->text == "b");
    CHECK(bench.connection->is_open());
  }
}

TEST_CASE("redis connection: a call may time out at any point of its reply") {
  const std::string_view first = "*2\r\n$5\r\nhello\r\n*1\r\n:1\r\n";
  for (size_t cut = 1; cut < first.size(); ++cut) {
    Bench bench;
    auto late = bench.get("a");
    bench.settle();
    bench.server->send(first.substr(0, cut));
    bench.settle();
    bench.advance(1s);
    CHECK(late.take().error() == Fault::timeout);
    auto next = bench.get("b");
    bench.settle();
    bench.server->send(std::string(first.substr(cut)) + "$1\r\nb\r\n");
    bench.settle();
    CHECK(next.take()->text == "b");
  }
}

TEST_CASE("redis connection: it may go at any point of a reply") {
  const std::string_view reply = "*2\r\n$5\r\nhello\r\n*1\r\n:1\r\n";
  for (size_t cut = 1; cut < reply.size(); ++cut) {
    Bench bench;
    auto waiting = bench.get("a");
    bench.settle();
    bench.server->send(reply.substr(0, cut));
    bench.settle();
    bench.connection.reset();
    bench.settle();
    CHECK(waiting.take().error() == Fault::connection_lost);
  }
}

TEST_CASE("redis connection: no more is queued for a server that doesn't read than it has room for") {
  Bench bench;
  const std::string large(40 << 20, 'x');
  std::vector<Task<Answer>> calls;
  for (int i = 0; i < 2; ++i) calls.push_back(bench.get(large));
  auto refused = Bench::ask(*bench.connection, bench.arena, "*0\r\n", bench.loop.now() + 1s);
  REQUIRE(refused.start());
  CHECK(refused.take().error() == Fault::overloaded);
}

TEST_CASE("redis connection: no more commands are under way than it has room for, dropped ones too") {
  Bench bench;
  for (size_t i = 0; i < RedisConnection::kMostUnanswered; ++i) {
    Arena arena(bench.blocks);
    auto call = Bench::ask(*bench.connection, arena, "*1\r\n$4\r\nPING\r\n", bench.loop.now() + 1s);
    REQUIRE_FALSE(call.start());
  }
  auto refused = Bench::ask(*bench.connection, bench.arena, "*0\r\n", bench.loop.now() + 1s);
  REQUIRE(refused.start());
  CHECK(refused.take().error() == Fault::overloaded);
  CHECK(bench.connection->unanswered() == RedisConnection::kMostUnanswered);
}

namespace {

constexpr std::string_view kConfirmed = "*3\r\n$10\r\npsubscribe\r\n$2\r\na*\r\n:1\r\n";

struct Subscribed : Bench {
  Names heard;
  RedisConnection::Hear hear = [this](std::string_view channel, std::string_view text) {
    heard.push_back(std::string(channel) + "=" + std::string(text));
  };
  Subscribed() { REQUIRE(connection->subscribe("a*", hear)); }
  void say(std::string_view bytes) {
    server->send(bytes);
    settle();
  }
};

}  // namespace

TEST_CASE("redis connection: a subscriber hears what is published, in whatever fragments it comes") {
  const auto bytes = std::string(kConfirmed) + "*4\r\n$8\r\npmessage\r\n$2\r\na*\r\n$2\r\nab\r\n$5\r\nhello\r\n" +
                     "*4\r\n$8\r\npmessage\r\n$2\r\na*\r\n$2\r\nac\r\n$0\r\n\r\n";
  for (const size_t size : {1UZ, 2UZ, 3UZ, 7UZ, 31UZ, bytes.size()}) {
    Subscribed bench;
    for (size_t at = 0; at < bytes.size(); at += size) bench.say(std::string_view(bytes).substr(at, size));
    CHECK(bench.heard == Names{"ab=hello", "ac="});
    CHECK(bench.connection->is_open());
  }
}

TEST_CASE("redis connection: a subscriber leaves a server whose messages are none") {
  for (const std::string_view message :
       {"+OK\r\n", ":1\r\n", "$-1\r\n", "*0\r\n", "*-1\r\n", "*1\r\n:1\r\n", "*3\r\n:1\r\n:2\r\n:3\r\n",
        "*4\r\n:1\r\n:2\r\n:3\r\n:4\r\n", "*4\r\n$8\r\npmessage\r\n$2\r\na*\r\n$1\r\na\r\n:1\r\n",
        "*4\r\n$8\r\npmessage\r\n$2\r\nb*\r\n$1\r\na\r\n$1\r\na\r\n", "*4\r\n$8\r\npmessage\r\n$-1\r\n$-1\r\n$-1\r\n",
        "*4\r\n*0\r\n*0\r\n*0\r\n*0\r\n", "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\na\r\n",
        "*2\r\n$4\r\npong\r\n$0\r\n\r\n", "*5\r\n$8\r\npmessage\r\n$2\r\na*\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n",
        "HTTP/1.1 200 OK\r\n\r\n", "*3\r\n$10\r\npsubscribe\r\n$2\r\na*\r\n:1\r\n",
        "*4\r\n$8\r\npmessage\r\n$99999999999\r\n"}) {
    for (const bool is_confirmed : {true, false}) {
      if (!is_confirmed && message == kConfirmed) continue;
      INFO(message);
      Subscribed bench;
      if (is_confirmed) bench.say(kConfirmed);
      bench.say(message);
      CHECK_FALSE(bench.connection->is_open());
      CHECK(bench.connection->has_broken_protocol());
      CHECK(bench.heard.empty());
    }
  }
}

TEST_CASE("redis connection: a refused subscription is told, and no breach") {
  Subscribed bench;
  bench.say("-NOPERM no permissions to access a channel\r\n");
  CHECK_FALSE(bench.connection->is_open());
  CHECK_FALSE(bench.connection->has_broken_protocol());
  CHECK(bench.connection->why_closed() ==
        "the server refuses the subscription: NOPERM no permissions to access a channel");
}

TEST_CASE("redis connection: a subscriber owes one pong for each PING, and no other") {
  Subscribed bench;
  CHECK_FALSE(bench.connection->ping());  // not before the subscription is confirmed
  bench.say(kConfirmed);
  CHECK(bench.connection->ping());
  CHECK_FALSE(bench.connection->ping());
  bench.say("*2\r\n$4\r\npong\r\n$0\r\n\r\n");
  CHECK(bench.connection->ping());
  CHECK(bench.server->received().ends_with("PING\r\n"));
  CHECK(bench.connection->is_open());
}

TEST_CASE("redis connection: a subscriber takes no commands, and a connection with commands no subscription") {
  Subscribed bench;
  auto refused = Bench::ask(*bench.connection, bench.arena, "*0\r\n", bench.loop.now() + 1s);
  REQUIRE(refused.start());
  CHECK(refused.take().error() == Fault::overloaded);
  Bench busy;
  auto waiting = busy.get("a");
  RedisConnection::Hear nothing = [](std::string_view, std::string_view) {};
  CHECK_FALSE(busy.connection->subscribe("a*", nothing));
}

TEST_CASE("redis connection: an answer is its waiter's own, whatever comes behind it") {
  Bench bench;
  auto first = bench.get("a");
  auto second = bench.get("b");
  bench.settle();
  bench.server->send("*2\r\n$5\r\nfirst\r\n:1\r\n*2\r\n$6\r\nsecond\r\n:2\r\n");
  bench.settle();
  const Reply one = *first.take();
  const Reply two = *second.take();
  CHECK(one[0].text == "first");
  CHECK(one[1].integer == 1);
  CHECK(two[0].text == "second");
  CHECK(two[1].integer == 2);
}

TEST_CASE("redis connection: nobody there is an end, not an exception") {
  LoopBench bench;
  RedisConnection nowhere(bench.loop, net::Address::unix_path("/tmp/weir-no-such-socket"));
  CHECK_FALSE(nowhere.is_open());
  RedisConnection refused(bench.loop, *net::Address::parse_ip("127.0.0.1", free_port()));
  CHECK(bench.until([&] { return !refused.is_open(); }));
}

TEST_CASE("redis connection: what the server doesn't read is kept, and sent when it does") {
  Bench bench;
  const std::string large(4 << 20, 'x');
  auto call = bench.get(large);
  bench.settle();
  size_t received = 0;
  CHECK(bench.until([&] {
    received += bench.server->received().size();
    return received > large.size();
  }));
  bench.server->send("$-1\r\n");
  bench.settle();
  CHECK(call.is_done());
}
