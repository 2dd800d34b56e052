#pragma once

#include <vector>

#include "async/sleep.h"
#include "unit/plugins/bench.h"

namespace weir::plugins {

/// A request's body of which no byte comes.
struct StalledBody : Body {
  using Body::Body;
  Task<Result<Chunk>> read() override {
    co_await std::suspend_always();
    co_return Chunk::end();
  }
  http::BodySize size() const override { return http::BodySize::known(100); }
  bool is_exact() const override { return true; }
};

/// Answers as a test says, one answer for each attempt; the last of them goes on.
struct FailingOrigin : Origin {
  struct Answer {
    uint16_t status = 0;  // 0: fails with `error`
    Error error{};
    std::vector<std::pair<std::string, std::string>> fields{};
    Duration after{};  // how long it takes
    bool has_crossed = false;
    Duration body{};        // how long the request's body takes to come
    bool is_early = false;  // doesn't read the request's body
  };
  static Answer failure(ErrorCode code, RetrySafe retry = RetrySafe::no) {
    return {.error = {code, Side::upstream, "", retry}};
  }

  /// Counts attempts that are under way, or whose response lives.
  struct UnderWay : TextBody {
    UnderWay(Arena& arena, std::string_view text, const FailingOrigin& origin) : TextBody(arena, text), origin(origin) {
      ++origin.under_way;
    }
    ~UnderWay() override { --origin.under_way; }
    const FailingOrigin& origin;
  };

  Task<> handle(Exchange& exchange) const override {
    const Answer& answer = answers[std::min<size_t>(attempts++, answers.size() - 1)];
    auto& record =
        exchange.attempts.add({.upstream = exchange.destination.upstream, .has_crossed = answer.has_crossed});
    auto body = make_in<UnderWay>(exchange.arena(), exchange.arena(), exchange.destination.upstream, *this);
    if (!answer.is_early) bodies.emplace_back((co_await exchange.request_body->whole(1 << 20)).value_or("(error)"));
    upstreams.emplace_back(exchange.destination.upstream);
    record.connected = exchange.loop().now();
    if (answer.body > Duration{}) co_await sleep_until(exchange.loop(), exchange.loop().now() + answer.body);
    record.sent = exchange.loop().now();
    if (answer.after > Duration{})
      co_await sleep_until(exchange.loop(),
                           std::min(exchange.attempt_deadline(), exchange.loop().now() + answer.after));
    if (exchange.loop().now() >= exchange.attempt_deadline()) {
      record.outcome = Outcome::timed_out;
      exchange.fail({ErrorCode::response_timeout, Side::upstream});
    } else if (answer.status == 0) {
      record.outcome = answer.error.code == ErrorCode::connect_refused ? Outcome::refused : Outcome::broken;
      exchange.fail(answer.error);
    } else {
      record.outcome = Outcome::answered;
      exchange.respond(answer.status, "text/plain");
      for (const auto& [name, value] : answer.fields) exchange.response.head.headers.add(name, value);
      exchange.response.body = std::move(body);
    }
  }

  std::vector<Answer> answers;
  mutable size_t attempts = 0;
  mutable int under_way = 0;
  mutable std::vector<std::string> bodies;     // of the requests
  mutable std::vector<std::string> upstreams;  // that they went to
};

/// A chain in front of an origin that fails, with time in the test's hand.
struct FailureBench : FilterBench {
  explicit FailureBench(std::string yaml, std::vector<FailingOrigin::Answer> answers) : FilterBench(std::move(yaml)) {
    INFO(problems.text());
    REQUIRE(problems.empty());
    failing->answers = std::move(answers);
    chain = Chain(chain.links(), failing);
    exchange.destination.upstream = "api";
  }
  ~FailureBench() {
    task.reset();
    exchange.response.body.reset();
  }
  void settle() {
    for (int turn = 0; turn < 10; ++turn) loop.poll();
  }
  void advance(Duration by) {
    clock.advance(by);
    loop.poll();
    loop.fire_timers();
    settle();
  }
  void start() {
    task = chain.run(exchange);
    task.start();
  }
  /// The status that the client would see, after as much time as it takes.
  uint16_t answer() {
    start();
    for (int i = 0; i < 1000 && !task.is_done(); ++i) advance(std::chrono::milliseconds(10));
    REQUIRE(task.is_done());
    task.take();
    task.reset();
    return exchange.response.head.status;
  }
  void method(std::string_view name) {
    exchange.request.method_name = name;
    exchange.request.method = http::method_of(name);
  }
  int64_t counted(const std::string& family, const FilterMetrics::Labels& wanted = {}) const {
    int64_t sum = 0;
    metrics.for_each(
        [&](const std::string& name, auto, const auto&, const FilterMetrics::Labels& labels, int64_t value, size_t) {
          const bool has_all = std::ranges::all_of(
              wanted, [&](const auto& label) { return std::ranges::find(labels, label) != labels.end(); });
          if (name == family && has_all) sum += value;
        });
    return sum;
  }

  std::shared_ptr<FailingOrigin> failing = std::make_shared<FailingOrigin>();
  Task<> task;
};

}  // namespace weir::plugins
