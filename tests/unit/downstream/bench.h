#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

#include "downstream/gateway.h"
#include "store/memory_store.h"
#include "unit/loop_bench.h"
#include "unit/peer.h"

namespace weir::downstream {

/// The chain's end, as a test writes it; by itself it answers 200 with the path.
struct ScriptedOrigin : Origin {
  Task<> handle(Exchange& exchange) const override {
    ++requests;
    return script(exchange);
  }
  std::function<Task<>(Exchange&)> script = [](Exchange& exchange) -> Task<> {
    exchange.respond(200, "text/plain", exchange.request.path);
    co_return;
  };
  mutable int requests = 0;
};

/// One route, for every path but those under /nowhere.
struct OneRoute : RouteTable {
  const Route* find(Exchange& exchange) const override {
    return exchange.request.path.starts_with("/nowhere") ? nullptr : &route;
  }
  Route route{.name = "all"};
};

/// What the access log would have.
struct Seen {
  uint16_t status;
  uint32_t flags;
  std::string path;
  uint64_t request_bytes;
  uint64_t response_bytes;
  bool has(Flag flag) const { return flags & static_cast<uint32_t>(flag); }
};

struct Observer : ExchangeObserver, ConnectionObserver {
  void exchange_started() override { ++started; }
  void exchange_finished(Exchange& exchange) override {
    const auto& record = exchange.record;
    seen.push_back({record.status, record.flags, std::string(exchange.request.path), record.request_body_bytes,
                    record.response_body_bytes});
  }
  void connection_opened() override { ++connections; }
  void connection_closed() override { --connections; }
  void connection_refused(Limit limit) override { refused.push_back(limit); }
  void connection_barred() override { ++barred; }
  void connection_worn() override { ++worn; }
  void proxy_header_refused() override { ++headers_refused; }
  void handshake_failed(net::TlsFault fault) override { faults.push_back(fault); }

  int started = 0;
  int connections = 0;
  std::vector<Seen> seen;
  std::vector<Limit> refused;
  int headers_refused = 0;
  int barred = 0;
  int worn = 0;
  std::vector<net::TlsFault> faults;
};

/// A listener's gateway on a worker whose time stands still, clients at the other ends of socket pairs.
struct Bench : LoopBench {
  explicit Bench(Policy policy = {}) : policy(std::move(policy)) {
    routes.route.chain = Chain({}, origin);
    gateway.serve(ServingRef(&serving));
  }
  Peer connect(std::string_view ip = "10.0.0.1") {
    const auto [ours, theirs] = connected_pair();
    gateway.open(ours, *net::Address::parse_ip(ip, 4711));
    return Peer(theirs);
  }
  /// Sends, lets Weir work, gives back what came.
  std::string ask(Peer& client, std::string_view bytes) {
    client.send(bytes);
    settle();
    return client.received();
  }
  std::string get(Peer& client, std::string_view path = "/") {
    return ask(client, "GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n\r\n");
  }

  BlockPool blocks{8 * 1024};
  BlockPool buffers{64 * 1024};
  store::MemoryStore store{clock};
  WorkerContext worker{loop, blocks, buffers, store, store};
  Policy policy;
  std::shared_ptr<ScriptedOrigin> origin = std::make_shared<ScriptedOrigin>();
  OneRoute routes;
  Observer observer;
  Serving serving{{.references = 1}, &policy, &routes, &observer};
  ClientCount clients;
  Gateway gateway{worker, clients, observer, "main", 8080};
};

/// The status of a response; 0 when there is none.
inline int status_of(std::string_view response) {
  if (!response.starts_with("HTTP/1.1 ")) return 0;
  return std::stoi(std::string(response.substr(9, 3)));
}
inline std::string body_of(std::string_view response) {
  const auto end = response.find("\r\n\r\n");
  return end == std::string_view::npos ? "" : std::string(response.substr(end + 4));
}
inline bool says_close(std::string_view response) {
  return response.substr(0, response.find("\r\n\r\n")).find("onnection: close") != std::string_view::npos;
}
/// How often `part` is in `text`.
inline int count(std::string_view text, std::string_view part) {
  int found = 0;
  for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

}  // namespace weir::downstream
