#include "exchange/wire.h"

#include <doctest/doctest.h>

#include "async/event.h"
#include "net/splice_pipe.h"
#include "unit/http/bench.h"
#include "unit/http/h2_bench.h"
#include "unit/loop_bench.h"
#include "unit/peer.h"
#include "unit/task_bench.h"

namespace weir {
namespace {

using namespace std::chrono_literals;

constexpr Wire::Errors kErrors{{ErrorCode::client_gone, Side::client, "broken"},
                               {ErrorCode::client_gone, Side::client, "stalled"}};

/// The answer to one request, sent over a pair of sockets by a real codec.
struct Bench : LoopBench {
  explicit Bench(int type = SOCK_STREAM) : ends(connected_pair(type)), socket(loop, ends.first), peer(ends.second) {
    wire.use(http.codec);
    http.feed("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  }
  Task<Result<>> answer(Body& body) {
    http::ResponseHead head(http.arena);
    head.status = 200;
    http.codec.send_response(1, head, body.size());
    return send_body(body, wire, 1, 5s, bytes);
  }

  std::pair<int, int> ends;
  net::Socket socket;
  Peer peer;
  BlockPool blocks{8 * 1024};
  Wire wire{loop, socket, blocks, kErrors};
  http::Bench http{&wire.output(), http::Role::server};
  uint64_t bytes = 0;
};

/// Has as many pieces of 32 KiB as one wants to read.
struct Endless : Body {
  using Body::Body;
  Task<Result<Chunk>> read() override {
    ++reads;
    co_return Chunk{Slice::literal(piece)};
  }
  http::BodySize size() const override { return http::BodySize::unknown(); }
  bool is_exact() const override { return true; }
  std::string piece = std::string(32 * 1024, 'x');
  int reads = 0;
};

/// Comes when the test says so.
struct Slow : Body {
  Slow(Arena& arena, Loop& loop) : Body(arena), signal(loop) {}
  Task<Result<Chunk>> read() override {
    while (!next) co_await signal.wait();
    co_return std::exchange(next, std::nullopt).value();
  }
  void come(Result<Chunk> chunk) {
    next = std::move(chunk);
    signal.notify();
  }
  http::BodySize size() const override { return http::BodySize::known(10); }
  bool is_exact() const override { return true; }
  Signal signal;
  std::optional<Result<Chunk>> next;
};

/// Gives the first bytes by hand and the rest through the kernel, when that is allowed.
struct Large : Body {
  Large(Arena& arena, net::SplicePipe& pipe, std::vector<Chunk> chunks)
      : Body(arena), pipe(pipe), chunks(std::move(chunks)) {}
  Task<Result<Chunk>> read() override {
    CHECK((reads < 2 || pipe.held() == 0));
    co_return chunks[reads++];
  }
  http::BodySize size() const override { return http::BodySize::known(length); }
  bool is_exact() const override { return true; }
  void allow_splice() override { is_allowed = true; }

  static constexpr size_t kRest = 5;
  net::SplicePipe& pipe;
  std::vector<Chunk> chunks;
  size_t reads = 0;
  uint64_t length = 100'000;
  bool is_allowed = false;
};

/// A client of many streams that has opened its windows and takes nothing of the first response.
struct SharedBench : LoopBench {
  SharedBench() {
    using namespace http::h2;
    wire.use(http.codec);
    http.feed(kMagic + settings(setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 30)) + settings_ack() +
              window_update(0, 1 << 30) + headers(1, kGet));
    http::ResponseHead head(http.arena);
    head.status = 200;
    http.codec.send_response(1, head, http::BodySize::unknown());
    http.codec.send_data(1, Slice::literal(large));
    wire.send_soon();
    settle();
  }

  const std::string large = std::string(4 << 20, 'x');
  std::pair<int, int> ends = connected_pair();
  net::Socket socket{loop, ends.first};
  Peer peer{ends.second};
  BlockPool blocks{8 * 1024};
  Wire wire{loop, socket, blocks, kErrors};
  http::BenchOf<http::H2Codec> http{&wire.output(), http::Role::server};
};

}  // namespace

TEST_CASE("wire: head and body leave in one write") {
  Bench bench(SOCK_SEQPACKET);  // keeps the borders of writes
  TextBody body(bench.http.arena, "hello");
  auto task = bench.answer(body);
  REQUIRE(task.start());
  CHECK(task.take().has_value());
  const auto written = bench.peer.receive();
  CHECK(written.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(written.ends_with("\r\n\r\nhello"));
  CHECK(bench.bytes == 5);
}

TEST_CASE("wire: pieces at hand leave together, the end too") {
  Bench bench(SOCK_SEQPACKET);
  PiecesBody body(bench.http.arena, {"one", "two", "three"});
  auto task = bench.answer(body);
  REQUIRE(task.start());
  CHECK(bench.peer.receive().ends_with("\r\n\r\n3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n"));
  CHECK(bench.bytes == 11);
}

TEST_CASE("wire: what is ready doesn't wait for what isn't") {
  Bench bench(SOCK_SEQPACKET);
  Slow body(bench.http.arena, bench.loop);
  auto task = bench.answer(body);
  CHECK_FALSE(task.start());
  CHECK(bench.peer.receive().ends_with("\r\n\r\n"));
  body.come(Chunk{Slice::literal("hello")});
  bench.settle();
  CHECK(bench.peer.receive() == "hello");
  body.come(Chunk{Slice::literal("world")});
  bench.settle();
  CHECK(bench.peer.receive() == "world");
  body.come(Chunk::end());
  bench.settle();
  REQUIRE(task.is_done());
  CHECK(task.take().has_value());
}

TEST_CASE("wire: an error of the body comes after what was sent before it") {
  Bench bench;
  PiecesBody body(bench.http.arena, {"one"});
  body.error = Error{ErrorCode::connection_reset, Side::upstream};
  auto task = bench.answer(body);
  REQUIRE(task.start());
  CHECK(task.take().error().code == ErrorCode::connection_reset);
  CHECK(bench.peer.received().ends_with("\r\n\r\n3\r\none\r\n"));
}

TEST_CASE("wire: a peer that doesn't read holds the body back") {
  Bench bench;
  Endless body(bench.http.arena);
  auto task = bench.answer(body);
  CHECK_FALSE(task.start());
  bench.settle();
  const int held = body.reads;
  CHECK(held < 40);  // the socket's own buffer, and a few pieces
  bench.settle();
  CHECK(body.reads == held);

  bench.peer.received();
  bench.settle();
  CHECK(body.reads > held);
}

TEST_CASE("wire: a peer that takes nothing for too long has stalled") {
  Bench bench;
  Endless body(bench.http.arena);
  auto task = bench.answer(body);
  task.start();
  bench.settle();
  bench.advance(4s);
  CHECK_FALSE(task.is_done());
  bench.advance(2s);
  REQUIRE(task.is_done());
  CHECK(task.take().error().detail == "stalled");
}

TEST_CASE("wire: a peer that takes a little now and then hasn't") {
  Bench bench;
  Endless body(bench.http.arena);
  auto task = bench.answer(body);
  task.start();
  for (int i = 0; i < 5; ++i) {
    bench.settle();
    bench.advance(4s);
    bench.peer.received();
  }
  bench.settle();
  CHECK_FALSE(task.is_done());
}

TEST_CASE("wire: a peer that is gone breaks it, and nothing is kept for it") {
  Bench bench;
  Endless body(bench.http.arena);
  auto task = bench.answer(body);
  task.start();
  bench.peer.close();
  bench.settle();
  REQUIRE(task.is_done());
  CHECK(task.take().error().detail == "broken");
  CHECK(bench.wire.output().is_empty());
}

TEST_CASE("wire: a broken one has nothing that waits for its peer") {
  SharedBench bench;
  CHECK(bench.wire.is_backed_up());
  CHECK(bench.wire.stalls_at(5s) == bench.loop.now() + 5s);
  bench.peer.close();
  bench.settle();
  CHECK(bench.wire.is_broken());
  CHECK_FALSE(bench.wire.is_backed_up());
  CHECK(bench.wire.stalls_at(5s) == Time::max());
}

TEST_CASE("wire: a peer that acknowledges nothing has stalled, whatever it sends") {
  SharedBench bench;
  for (int i = 0; i < 4; ++i) {
    bench.advance(1s);
    bench.http.feed(http::h2::ping());
    bench.wire.send_soon();
    bench.settle();
    CHECK_FALSE(bench.wire.has_stalled(5s));
  }
  SUBCASE("nothing") {
    bench.advance(1s);
    CHECK(bench.wire.has_stalled(5s));
  }
  SUBCASE("a little") {
    bench.peer.receive();
    bench.advance(1s);
    CHECK_FALSE(bench.wire.has_stalled(5s));
    bench.advance(4s);
    CHECK_FALSE(bench.wire.has_stalled(5s));
    bench.advance(1s);
    CHECK(bench.wire.has_stalled(5s));
  }
}

TEST_CASE("wire: given up in the middle, it is silent") {
  Bench bench;
  Endless body(bench.http.arena);
  auto task = bench.answer(body);
  task.start();
  bench.settle();
  REQUIRE_FALSE(task.is_done());
  task.reset();
  CHECK_FALSE(bench.peer.received().empty());
  const int reads = body.reads;
  bench.settle();
  bench.advance(10s);
  CHECK(bench.peer.received().empty());
  CHECK(body.reads == reads);
}

TEST_CASE("wire: what the kernel holds follows what was at hand") {
  Bench bench;
  auto [in, out] = connected_pair();
  net::Socket source(bench.loop, in);
  Peer sender(out);
  net::SplicePipes pipes;
  const auto pipe = pipes.take();
  sender.send("world");
  REQUIRE(pipe->fill(source, Large::kRest).bytes == Large::kRest);
  Large body(bench.http.arena, *pipe, {Chunk{Slice::literal("hello ")}, Chunk{.spliced = pipe.get()}, Chunk::end()});
  auto task = bench.answer(body);
  REQUIRE(task.start());
  CHECK(body.is_allowed);
  CHECK(bench.peer.received().ends_with("\r\n\r\nhello world"));
  CHECK(bench.bytes == 11);
  CHECK(bench.http.codec.may_pass_out(1) == 0);  // the message is over, short as it was
  CHECK_FALSE(bench.http.codec.is_reusable());
}

TEST_CASE("wire: a small body isn't spliced") {
  Bench bench;
  net::SplicePipes pipes;
  const auto pipe = pipes.take();
  Large body(bench.http.arena, *pipe, {Chunk::end()});
  body.length = 60'000;
  auto task = bench.answer(body);
  REQUIRE(task.start());
  CHECK_FALSE(body.is_allowed);
}

}  // namespace weir
