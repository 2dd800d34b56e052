#include <doctest/doctest.h>

#include "async/race.h"
#include "async/task_group.h"
#include "exchange/child.h"
#include "unit/exchange_bench.h"
#include "unit/task_bench.h"

namespace weir {
namespace {

using namespace std::chrono_literals;

/// Answers with what it was sent, after a while; its body tells when it goes.
struct SlowOrigin : Origin {
  struct Echo : TextBody {
    Echo(Arena& arena, std::string_view text, int& alive) : TextBody(arena, text), alive(alive) { ++alive; }
    ~Echo() override { --alive; }
    int& alive;
  };
  Task<> handle(Exchange& exchange) const override {
    exchange.attempts.add({.upstream = "api", .endpoint = "10.0.0.1:80"});
    const auto sent = co_await exchange.request_body->whole(1000);
    co_await sleep_for(exchange.loop(), 100ms);
    auto& arena = exchange.arena();
    exchange.respond(200, "text/plain");
    exchange.response.head.headers.add("x-path", exchange.request.path);
    exchange.response.head.headers.add("x-matched-path", arena.copy(exchange.request.matched_path()));
    exchange.response.body = make_in<Echo>(arena, arena, sent.value(), alive);
    exchange.facts.set("served.by", arena.copy("slow"));
  }
  mutable int alive = 0;
};

struct Bench : ExchangeBench {
  Bench() {
    worker.background = &background;
    exchange.request.headers.add("x-mine", arena.copy("1"));
  }
  ~Bench() { exchange.response.body.reset(); }  // before the origin
  void settle() {
    for (int i = 0; i < 10; ++i) loop.poll();
  }
  void advance(Duration by) {
    clock.advance(by);
    loop.poll();
    loop.fire_timers();
    settle();
  }
  void pieces(std::vector<std::string> texts) {
    exchange.request_body = make_in<PiecesBody>(arena, arena, std::move(texts));
  }
  Task<> run(Exchange& exchange) { return Next(chain, 0)(exchange); }

  std::shared_ptr<SlowOrigin> origin = std::make_shared<SlowOrigin>();
  Chain chain{{}, origin};
  TaskGroup background{loop};
};

}  // namespace

TEST_CASE("children: a fork is the request as it was at the mark") {
  Bench bench;
  auto& parent = bench.exchange;
  parent.destination.upstream = "api";
  parent.client.ip = "10.0.0.9";
  parent.client.url_told = "another";
  const auto mark = parent.mark(100);
  parent.request.headers.set("x-mine", "2");
  parent.destination.upstream = "other";
  const auto child = parent.fork(mark);
  CHECK(child->exchange.request.headers.get("x-mine") == "1");
  CHECK(child->exchange.request.method_name == "GET");
  CHECK(child->exchange.destination.upstream == "api");
  CHECK(child->exchange.client.ip == "10.0.0.9");
  CHECK(child->exchange.client.url_told == "another");
  CHECK(child->exchange.client.url_told.data() != parent.client.url_told.data());
  CHECK(child->exchange.request_body->size().is_empty());
}

TEST_CASE("children: a fork has the time that its parent has for an answer, a detached child has not") {
  Bench bench;
  auto& parent = bench.exchange;
  parent.deadline = bench.loop.now() + 9s;
  parent.answer_by = bench.loop.now() + 3s;
  parent.answer_within = 3s;
  const auto mark = parent.mark(100);
  const auto fork = parent.fork(mark);
  CHECK(fork->exchange.deadline == parent.deadline);
  CHECK(fork->exchange.answer_by == parent.answer_by);
  CHECK(fork->exchange.answer_within == 3s);
  const auto detached = parent.detach(mark);
  CHECK(detached->exchange.answer_by == Time::max());
  CHECK(detached->exchange.answer_within == 0s);
}

TEST_CASE("children: attempts and flags of a fork are its parent's, those of a detached child its own") {
  Bench bench;
  auto& parent = bench.exchange;
  const auto mark = parent.mark(100);
  auto fork = parent.fork(mark);
  auto detached = parent.detach(mark);
  fork->exchange.attempts.add({.endpoint = fork->exchange.arena().copy("10.0.0.1:80")});
  fork->exchange.record.raise(Flag::LR);
  detached->exchange.attempts.add({.endpoint = "10.0.0.2:80"});
  fork.reset();
  detached.reset();
  REQUIRE(parent.attempts.size() == 1);
  CHECK(parent.attempts[0].endpoint == "10.0.0.1:80");
  CHECK(parent.record.has(Flag::LR));
}

TEST_CASE("children: a body that isn't whole yet can't be had twice at once") {
  Bench bench;
  bench.pieces({"one", "two"});
  const auto mark = bench.exchange.mark(100);
  next_of(*bench.exchange.request_body);
  CHECK(bench.exchange.fork(mark) == nullptr);
  finished(bench.exchange.request_body->whole(100));
  auto child = bench.exchange.fork(mark);
  REQUIRE(child);
  CHECK(finished(child->exchange.request_body->whole(100)) == "onetwo");
  CHECK(child->exchange.request_body->rewind());
  CHECK(finished(child->exchange.request_body->whole(100)) == "onetwo");
}

TEST_CASE("children: nor one that outgrew what was kept") {
  Bench bench;
  bench.pieces({"one", "two"});
  const auto mark = bench.exchange.mark(5);
  finished(bench.exchange.request_body->whole(100));
  CHECK(bench.exchange.fork(mark) == nullptr);
}

TEST_CASE("children: adopted, a fork's response is the parent's, and lives as long as it") {
  Bench bench;
  auto& parent = bench.exchange;
  bench.pieces({"hello"});
  const auto mark = parent.mark(100);
  finished(parent.request_body->whole(100));
  auto child = parent.fork(mark);
  child->exchange.request.path = child->exchange.arena().copy("/copied");
  child->exchange.call = GrpcForm::web;
  auto task = bench.run(child->exchange);
  task.start();
  bench.advance(200ms);
  REQUIRE(task.is_done());
  task.reset();
  parent.adopt(std::move(child));
  CHECK(parent.call == GrpcForm::web);
  CHECK(parent.response.head.status == 200);
  CHECK(bench.response_field("x-path") == "/copied");
  CHECK(parent.facts.get("served.by") == "slow");
  CHECK(bench.body() == "hello");
  CHECK(parent.attempts.size() == 1);
}

TEST_CASE("children: an adopted response is dropped by a rewind, or by the next that is adopted") {
  Bench bench;
  auto& parent = bench.exchange;
  const auto mark = parent.mark(100);
  const auto answered = [&] {
    auto child = parent.fork(mark);
    auto task = bench.run(child->exchange);
    task.start();
    bench.advance(200ms);
    task.reset();
    return child;
  };
  parent.adopt(answered());
  CHECK(bench.origin->alive == 1);
  parent.adopt(answered());
  CHECK(bench.origin->alive == 1);
  REQUIRE(parent.rewind(mark));
  CHECK(bench.origin->alive == 0);
  CHECK(parent.response.body == nullptr);
}

TEST_CASE("children: a fork that is given up leaves nothing behind, wherever it waits") {
  for (const auto waited : {0ms, 50ms, 200ms}) {
    Bench bench;
    const auto mark = bench.exchange.mark(100);
    auto child = bench.exchange.fork(mark);
    auto task = bench.run(child->exchange);
    task.start();
    bench.advance(waited);
    task.reset();
    child.reset();
    bench.advance(1s);
    CHECK(bench.origin->alive == 0);
    CHECK(bench.exchange.attempts.size() == 1);
  }
}

TEST_CASE("children: one that is detached goes on when its parent has gone, and keeps the snapshot") {
  struct Snapshot : KeptSnapshot {
    int released = 0;
    size_t attempts = 0;
  } snapshot;
  snapshot.release = [](KeptSnapshot& s) { ++static_cast<Snapshot&>(s).released; };
  snapshot.detached_over = [](KeptSnapshot& s, const Exchange& exchange) {
    static_cast<Snapshot&>(s).attempts += exchange.attempts.size();
  };
  struct Detached {
    static Task<> run(Exchange::ChildPtr child, Next next, std::string& heard) {
      co_await next(child->exchange);
      heard = child->exchange.response.head.headers.get("x-matched-path").value_or("none");
      heard += (co_await child->exchange.response.body->whole(100)).value();
    }
  };
  Bench bench;
  std::string heard;
  auto arena = std::make_unique<Arena>(bench.blocks);
  auto parent = std::make_unique<Exchange>(*arena, bench.worker, nullptr);
  parent->snapshot = &snapshot;
  parent->request.path = arena->copy("/a");
  parent->request.decoded_path = arena->copy("/b ");
  parent->request_body = make_in<TextBody>(*arena, *arena, arena->copy("hello"));
  const auto mark = parent->mark(100);
  finished(parent->request_body->whole(100));
  bench.background.spawn(Detached::run(parent->detach(mark), Next(bench.chain, 0), heard));
  parent.reset();
  arena.reset();
  CHECK(snapshot.released == 0);
  bench.advance(200ms);
  CHECK(heard == "/b hello");
  CHECK(bench.background.size() == 0);
  CHECK(snapshot.released == 1);
  CHECK(snapshot.attempts == 1);
}

TEST_CASE("children: one that is detached ends with its worker's group") {
  struct Detached {
    static Task<> run(Exchange::ChildPtr child, Next next) { co_await next(child->exchange); }
  };
  Bench bench;
  const auto mark = bench.exchange.mark(100);
  bench.background.spawn(Detached::run(bench.exchange.detach(mark), Next(bench.chain, 0)));
  bench.background.cancel();
  bench.advance(1s);
  CHECK(bench.origin->alive == 0);
}

TEST_CASE("children: a detached one that is adopted tells its attempts through who adopted it") {
  Bench bench;
  auto& parent = bench.exchange;
  const auto mark = parent.mark(100);
  auto child = parent.detach(mark);
  auto task = bench.run(child->exchange);
  task.start();
  bench.advance(110ms);
  REQUIRE(task.is_done());
  task.reset();
  child->exchange.id = child->exchange.arena().copy("id");
  parent.adopt(std::move(child));
  REQUIRE(parent.attempts.size() == 1);
  CHECK(parent.attempts[0].endpoint == "10.0.0.1:80");
  REQUIRE(parent.rewind(mark));  // a retry: the child goes
  CHECK(parent.attempts[0].endpoint == "10.0.0.1:80");
  CHECK(parent.id == "id");
}

TEST_CASE("children: what a fork took over from a detached one outlives the fork") {
  Bench bench;
  auto& parent = bench.exchange;
  const auto mark = parent.mark(100);
  auto fork = parent.fork(mark);
  {
    auto detached = fork->exchange.detach(fork->exchange.mark(100));
    auto task = bench.run(detached->exchange);
    task.start();
    bench.advance(110ms);
    REQUIRE(task.is_done());
    task.reset();
    fork->exchange.adopt(std::move(detached));
  }
  fork.reset();  // it lost
  REQUIRE(parent.attempts.size() == 1);
  CHECK(parent.attempts[0].endpoint == "10.0.0.1:80");
}

}  // namespace weir
