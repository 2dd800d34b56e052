#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "async/broadcast.h"
#include "async/sleep.h"
#include "async/task_group.h"
#include "unit/plugins/bench.h"

namespace weir::plugins {

/// An origin whose answers, and their time, are in a test's hand.
struct ScriptedOrigin : Origin {
  struct Answer {
    uint16_t status = 200;
    std::vector<std::pair<std::string, std::string>> fields;
    std::string body = "body";
    Duration after{};
    std::optional<Error> failure = std::nullopt;
  };
  struct Asked {
    std::string method;
    std::string path;
    std::string if_none_match;
    bool has_range;
  };

  Task<> handle(Exchange& exchange) const override {
    const auto& request = exchange.request;
    asked.push_back({std::string(request.method_name), std::string(request.path),
                     std::string(request.headers.get(http::Field::if_none_match).value_or("")),
                     request.headers.has(http::Field::range)});
    const Answer answer = script(exchange);
    if (answer.after > Duration{}) co_await sleep_for(exchange.loop(), answer.after);
    if (answer.failure) co_return exchange.fail(*answer.failure);
    exchange.respond(answer.status, "text/plain", exchange.arena().copy(answer.body));
    for (const auto& [name, value] : answer.fields) {
      exchange.response.head.headers.add(exchange.arena().copy(name), exchange.arena().copy(value));
    }
  }

  std::function<Answer(Exchange&)> script = [](Exchange&) { return Answer{}; };
  mutable std::vector<Asked> asked;
};

/// One client's request, from its arrival to its end or its leaving.
struct CacheClient {
  CacheClient(WorkerContext& worker, const Chain& chain, std::string path,
              std::vector<std::pair<std::string, std::string>> fields, std::string method,
              const std::function<void(Exchange&)>& prepare = {})
      : arena(worker.blocks), exchange(arena, worker, nullptr) {
    auto& request = exchange.request;
    request.method_name = arena.copy(method);
    request.method = http::method_of(method);
    request.scheme = "http";
    request.authority = "example.com";
    const auto query = path.find('?');
    request.target = request.path = arena.copy(path.substr(0, query));
    request.has_query = query != std::string::npos;
    if (request.has_query) request.query = arena.copy(path.substr(query + 1));
    for (const auto& [name, value] : fields) request.headers.add(arena.copy(name), arena.copy(value));
    exchange.request_body = make_in<NoBody>(arena, arena);
    exchange.record.started = worker.loop.now();
    if (prepare) prepare(exchange);
    task = chain.run(exchange);
    task.start();
  }
  ~CacheClient() {
    reading.reset();
    task.reset();
  }

  bool is_answered() const { return task.is_done(); }
  uint16_t status() const { return exchange.response.head.status; }
  std::string field(std::string_view name) const {
    return std::string(exchange.response.head.headers.joined(name).value_or("(none)"));
  }
  std::string cache_status() const { return field("cache-status"); }
  /// All of the body; "(cut)" when it breaks off.
  std::string body(Loop& loop) {
    reading = exchange.response.body->whole(1 << 24);
    reading.start();
    for (int turn = 0; turn < 100 && !reading.is_done(); ++turn) loop.poll();
    REQUIRE(reading.is_done());
    auto whole = reading.take();
    return whole ? std::string(*whole) : "(cut)";
  }

  Arena arena;
  Exchange exchange;
  Task<> task;
  Task<Result<std::string_view>> reading;
};

/// A route with a cache, in front of a scripted origin, with time in the test's hand.
struct CacheBench : FilterBench {
  using Answer = ScriptedOrigin::Answer;
  using Fields = std::vector<std::pair<std::string, std::string>>;
  using ClientPtr = std::unique_ptr<CacheClient>;

  explicit CacheBench(const std::string& settings = "{}", Answer answer = {})
      : FilterBench("filters: [cache: " + settings + "]") {
    INFO(problems.text());
    REQUIRE(problems.empty());
    worker.background = &background;
    scripted->script = [answer = std::move(answer)](Exchange&) { return answer; };
    chain = Chain(chain.links(), scripted);
  }
  ~CacheBench() { background.cancel(); }

  void settle() {
    for (int turn = 0; turn < 20; ++turn) loop.poll();
  }
  void advance(Duration by) {
    clock.advance(by);
    loop.poll();
    loop.fire_timers();
    settle();
  }
  ClientPtr send(std::string path, Fields fields = {}, std::string method = "GET") {
    auto client = std::make_unique<CacheClient>(worker, chain, std::move(path), std::move(fields), std::move(method));
    settle();
    return client;
  }
  /// Sends it and waits for all of the answer.
  ClientPtr get(std::string path = "/", Fields fields = {}, std::string method = "GET") {
    auto client = send(std::move(path), std::move(fields), std::move(method));
    for (int i = 0; i < 1000 && !client->is_answered(); ++i) advance(std::chrono::milliseconds(10));
    REQUIRE(client->is_answered());
    client->task.take();
    last_body = client->body(loop);
    settle();
    return client;
  }
  size_t asked() const { return scripted->asked.size(); }

  TaskGroup background{loop};
  std::shared_ptr<ScriptedOrigin> scripted = std::make_shared<ScriptedOrigin>();
  std::string last_body;
};

}  // namespace weir::plugins
