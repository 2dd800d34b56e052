#include "net/splice_pipe.h"

#include <doctest/doctest.h>

#include "unit/loop_bench.h"
#include "unit/peer.h"

namespace weir::net {
namespace {

using State = Transfer::State;

struct Bench : LoopBench {
  std::pair<int, int> in = connected_pair();
  std::pair<int, int> out = connected_pair();
  Socket from{loop, in.first};
  Socket to{loop, out.first};
  Peer sender{in.second};
  Peer reader{out.second};
  SplicePipes pipes;
};

}  // namespace

TEST_CASE("splice pipe: bytes go from socket to socket, no more than asked for") {
  Bench bench;
  const auto pipe = bench.pipes.take();
  bench.sender.send("hello world");
  CHECK(pipe->fill(bench.from, 5).bytes == 5);
  CHECK(pipe->held() == 5);
  CHECK(pipe->drain(bench.to).state == State::moved);
  CHECK(pipe->held() == 0);
  CHECK(bench.reader.receive() == "hello");
}

TEST_CASE("splice pipe: an empty socket blocks, a peer's FIN ends") {
  Bench bench;
  const auto pipe = bench.pipes.take();
  CHECK(pipe->fill(bench.from, 5).state == State::blocked);
  bench.sender.close();
  CHECK(pipe->fill(bench.from, 5).state == State::ended);
}

TEST_CASE("splice pipe: what a full socket doesn't take stays held") {
  Bench bench;
  const auto pipe = bench.pipes.take();
  auto state = State::moved;
  while (state == State::moved) {
    bench.sender.send(std::string(16 * 1024, 'x'));
    REQUIRE(pipe->fill(bench.from, 16 * 1024).state == State::moved);
    state = pipe->drain(bench.to).state;
  }
  CHECK(state == State::blocked);
  CHECK(pipe->held() > 0);
}

TEST_CASE("splice pipe: an empty one is used again, one with bytes in it is not") {
  Bench bench;
  auto pipe = bench.pipes.take();
  const auto* first = pipe.get();
  pipe.reset();
  pipe = bench.pipes.take();
  CHECK(pipe.get() == first);
  bench.sender.send("left behind");
  pipe->fill(bench.from, 100);
  pipe.reset();
  pipe = bench.pipes.take();
  CHECK(pipe->held() == 0);
  CHECK(pipe->drain(bench.to).bytes == 0);
}

}  // namespace weir::net
