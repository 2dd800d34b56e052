#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "exchange/error_response.h"
#include "unit/plugins/bench.h"

namespace weir::plugins {

/// A store that may be gone, or say whatever the test says.
class GoneStore : public store::MemoryStore {
 public:
  using MemoryStore::MemoryStore;
  bool is_gone = false;
  std::optional<store::Quota> says;
  uint32_t sharers = 1;
  int takes = 0;

  Task<Result<store::Decision>> take(store::Caller caller, std::span<const store::Take> quotas) override {
    ++takes;
    if (is_gone) return fail_take(caller);
    if (says) return say(caller, *says);
    return MemoryStore::take(caller, quotas);
  }
  uint32_t instances() const override { return sharers; }

 private:
  static Task<Result<store::Decision>> fail_take(store::Caller) {
    co_return fail(ErrorCode::store_unavailable, Side::self, "gone");
  }
  static Task<Result<store::Decision>> say(store::Caller caller, store::Quota quota) {
    const auto quotas = caller.arena.make_list<store::Quota>(1);
    quotas[0] = quota;
    co_return store::Decision{quota.allowed, quotas, quota.is_left_out};
  }
};

/// What came back.
struct Answer {
  uint16_t status = 0;
  std::map<std::string, std::string> fields;
  std::string body;
  uint32_t flags = 0;

  std::string operator[](const std::string& name) const {
    const auto found = fields.find(name);
    return found == fields.end() ? "(none)" : found->second;
  }
  bool has(Flag flag) const { return flags & static_cast<uint32_t>(flag); }
};

/// A chain with limits in it, and requests one after the other, each an exchange of its own.
struct LimitBench : FilterBench {
  GoneStore shared{clock};
  store::MemoryStore local{clock};
  WorkerContext limited{loop, blocks, buffers, shared, local};

  using FilterBench::FilterBench;

  struct Request {
    Request(LimitBench& bench, const std::string& client,
            const std::vector<std::pair<std::string, std::string>>& fields)
        : arena(bench.blocks), exchange(arena, bench.limited, nullptr) {
      exchange.request.method_name = "GET";
      exchange.request.target = exchange.request.path = "/";
      exchange.request_body = make_in<NoBody>(arena, arena);
      exchange.client.ip = arena.copy(client);
      for (const auto& [name, value] : fields) exchange.request.headers.add(arena.copy(name), arena.copy(value));
      task = bench.chain.run(exchange);
      task.start();
    }
    bool is_done() const { return task.is_done(); }
    Answer answer() {
      REQUIRE(is_done());
      task.take();
      if (exchange.failure) render_error(exchange);
      Answer answer{.status = exchange.response.head.status, .flags = exchange.record.flags};
      for (const auto& header : exchange.response.head.headers) {
        auto& value = answer.fields[std::string(header.name)];
        value += (value.empty() ? "" : ", ") + std::string(header.value);
      }
      auto whole = exchange.response.body->whole(1 << 20);
      REQUIRE(whole.start());
      answer.body = whole.take().value();
      return answer;
    }

    Arena arena;
    Exchange exchange;
    Task<> task;
  };

  std::unique_ptr<Request> begin(const std::string& client,
                                 const std::vector<std::pair<std::string, std::string>>& fields = {}) {
    return std::make_unique<Request>(*this, client, fields);
  }
  Answer get(const std::string& client, const std::vector<std::pair<std::string, std::string>>& fields = {}) {
    return begin(client, fields)->answer();
  }
  /// How many of so many requests passed.
  int passed(int tries, const std::string& client = "10.0.0.1") {
    int count = 0;
    for (int i = 0; i < tries; ++i) count += get(client).status == 200;
    return count;
  }
  void advance(Duration by) {
    clock.advance(by);
    loop.poll();
    loop.fire_timers();
    for (int turn = 0; turn < 10; ++turn) loop.poll();
  }
  int64_t count(const std::string& family, const std::string& label, const std::string& value) const {
    int64_t sum = 0;
    metrics.for_each([&](const auto& name, auto, const auto&, const auto& labels, int64_t found, size_t) {
      const bool matches = std::ranges::find(labels, std::pair(label, value)) != labels.end();
      if (name == family && matches) sum += found;
    });
    return sum;
  }
};

}  // namespace weir::plugins
