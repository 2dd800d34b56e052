#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "exchange/chain.h"
#include "exchange/exchange.h"
#include "store/memory_store.h"

namespace weir {

/// A worker with a clock in the test's hand, and one exchange on it.
struct ExchangeBench {
  ManualClock clock;
  Loop loop{clock};
  BlockPool blocks{8 * 1024};
  BlockPool buffers{64 * 1024};
  store::MemoryStore store{clock};
  WorkerContext worker{loop, blocks, buffers, store, store};
  Arena arena{blocks};
  Exchange exchange{arena, worker, nullptr};

  ExchangeBench() {
    exchange.request.method_name = "GET";
    exchange.request.target = exchange.request.path = "/";
    exchange.request_body = make_in<NoBody>(arena, arena);
    exchange.record.started = loop.now();
  }

  std::string response_field(std::string_view name) const {
    return std::string(exchange.response.head.headers.joined(name).value_or("(none)"));
  }
  std::string request_field(std::string_view name) const {
    return std::string(exchange.request.headers.joined(name).value_or("(none)"));
  }
  std::string body() {
    auto whole = exchange.response.body->whole(1 << 20);
    REQUIRE(whole.start());
    return std::string(whole.take().value());
  }
};

/// Answers 200 at once, with what the test wants.
struct StubOrigin : Origin {
  Task<> handle(Exchange& exchange) const override {
    exchange.respond(status, "text/plain", "ok");
    for (const auto& [name, value] : fields) exchange.response.head.headers.add(name, value);
    co_return;
  }
  std::vector<std::pair<std::string, std::string>> fields;
  uint16_t status = 200;
};

}  // namespace weir
