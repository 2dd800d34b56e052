#pragma once

#include <netinet/tcp.h>

#include "net/listening_socket.h"
#include "unit/loop_bench.h"
#include "unit/peer.h"
#include "unit/upstream/bench.h"
#include "upstream/connection_pool.h"
#include "upstream/forward.h"

namespace weir::upstream {

/// A backend on loopback whose every byte the test writes.
class Backend {
 public:
  Backend() : fd_(*net::open_listener(*net::Address::parse("127.0.0.1:0"), {})) {}
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;
  ~Backend() { close(); }
  /// Nobody listens from here on.
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

  net::Address address() const {
    sockaddr_storage name;
    socklen_t size = sizeof name;
    REQUIRE(::getsockname(fd_, reinterpret_cast<sockaddr*>(&name), &size) == 0);
    return {reinterpret_cast<sockaddr*>(&name), size};
  }
  /// Fills its queue: who connects from here on gets no answer, as where a firewall drops the SYN.
  void fill_queue() {
    const auto to = address();
    REQUIRE(::listen(fd_, 0) == 0);
    for (int i = 0; i < 2; ++i) {
      const int fd = ::socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      (void)!::connect(fd, to.get(), to.size());
      crowd_.emplace_back(fd);
    }
  }
  /// A connection that waits to be accepted, if there is one.
  std::optional<Peer> accept() {
    const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return std::nullopt;
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // what is sent arrives at once
    return Peer(fd);
  }

 private:
  int fd_;
  std::vector<Peer> crowd_;
};

/// A worker that forwards to one backend.
struct ForwardBench : LoopBench {
  explicit ForwardBench(UpstreamSettings from = {}) : settings(std::move(from)) {
    const auto address = backend.address();
    EndpointSettings endpoint;
    endpoint.address.value = address.text();
    endpoint.parsed = address;
    settings.endpoints = {endpoint};
    worker.connections = &pool;
    upstreams.push_back(std::make_unique<Upstream>("api", 0, settings, states.find("api"), 1, loop.now()));
    forward = std::make_unique<Forward>(upstreams);
  }
  EndpointState& endpoint() const { return *upstreams[0]->endpoints()->all()[0].state; }

  /// The backend's next connection, once it is there.
  Peer accept() {
    std::optional<Peer> peer;
    REQUIRE(until([&] {
      if (auto next = backend.accept()) peer.emplace(std::move(*next));
      return peer.has_value();
    }));
    return std::move(*peer);
  }
  /// What the backend receives, until it has seen `end`.
  std::string receive(Peer& peer, std::string_view end = "\r\n\r\n") {
    std::string bytes;
    REQUIRE(until([&] {
      bytes += peer.received();
      return bytes.ends_with(end);
    }));
    return bytes;
  }
  bool ends(Peer& peer) {
    return until([&] { return peer.has_ended(); });
  }

  BlockPool blocks{8 * 1024};
  BlockPool buffers{64 * 1024};
  store::MemoryStore store{clock};
  WorkerContext worker{loop, blocks, buffers, store, store};
  ConnectionPool pool{worker};
  Backend backend;
  UpstreamStates states;
  UpstreamSettings settings;
  std::vector<std::unique_ptr<Upstream>> upstreams;
  std::unique_ptr<Forward> forward;
};

/// One exchange on its way to the backend.
struct Request {
  explicit Request(ForwardBench& bench, http::Method method = http::Method::get, ClientSide* client = nullptr)
      : bench(bench), arena(bench.blocks), exchange(arena, bench.worker, client) {
    exchange.request.method = method;
    exchange.request.method_name = http::name_of(method);
    exchange.request.authority = "example.com";
    exchange.request.path = exchange.request.target = "/a";
    exchange.request_body = make_in<NoBody>(arena, arena);
    exchange.destination.upstream = "api";
    exchange.record.started = bench.loop.now();
  }
  Request& body(std::string_view text) {
    exchange.request_body = make_in<TextBody>(arena, arena, text);
    return *this;
  }
  Request& start() {
    task = bench.forward->handle(exchange);
    task.start();
    return *this;
  }
  /// Forward is done: there is a response's head, or a failure.
  bool is_answered() {
    return bench.until([&] { return task.is_done(); });
  }
  uint16_t status() {
    REQUIRE(is_answered());
    return exchange.failure ? 0 : exchange.response.head.status;
  }
  ErrorCode failure() {
    REQUIRE(is_answered());
    REQUIRE(exchange.failure.has_value());
    return exchange.failure->code;
  }
  Result<std::string_view> read() {
    auto whole = exchange.response.body->whole(1 << 20);
    whole.start();
    REQUIRE(bench.until([&] { return whole.is_done(); }));
    return whole.take();
  }
  std::string text() {
    REQUIRE(is_answered());
    REQUIRE_FALSE(exchange.failure.has_value());
    return std::string(read().value());
  }
  const Attempt& attempt() const { return exchange.attempts[exchange.attempts.size() - 1]; }

  ForwardBench& bench;
  Arena arena;
  Exchange exchange;
  Task<> task;
};

inline constexpr std::string_view kHello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/// Sends one request through, so that an idle connection is left behind: the backend's end of it.
inline Peer warm(ForwardBench& bench) {
  Request request(bench);
  request.start();
  Peer peer = bench.accept();
  bench.receive(peer);
  peer.send(kHello);
  REQUIRE(request.text() == "hello");
  bench.settle();
  return peer;
}

}  // namespace weir::upstream
