#pragma once

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <functional>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "net/address.h"
#include "store/redis_address.h"
#include "unit/peer.h"

namespace weir::store {

/// A server in the test's hand on a port of its own, which says to each command what `answer` gives. Never blocks: it
/// works in `serve`.
class FakeRedis {
 public:
  /// Bytes for one command, given raw; nothing: the connection is closed.
  using Answer = std::function<std::optional<std::string>(std::string_view command)>;

  explicit FakeRedis(Answer answer)
      : answer_(std::move(answer)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_in at{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof at;
    REQUIRE(::bind(listener_, reinterpret_cast<sockaddr*>(&at), size) == 0);
    REQUIRE(::listen(listener_, 100) == 0);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &size);
    port_ = ntohs(at.sin_port);
  }
  FakeRedis(const FakeRedis&) = delete;
  FakeRedis& operator=(const FakeRedis&) = delete;
  ~FakeRedis() { ::close(listener_); }

  void serve() {
    for (int fd = ::accept(listener_, nullptr, nullptr); fd >= 0; fd = ::accept(listener_, nullptr, nullptr)) {
      clients_.emplace_back(fd);
      ++accepted;
    }
    std::erase_if(clients_, [&](Peer& client) {
      const auto command = client.received();
      if (command.empty()) return client.has_ended();
      const auto answer = answer_(command);
      if (answer) client.send(*answer);
      return !answer;
    });
  }
  RedisAddress address() const {
    RedisAddress address;
    address.host = "127.0.0.1";
    address.port = port_;
    return address;
  }
  uint16_t port() const { return port_; }
  size_t clients() const { return clients_.size(); }

  int accepted = 0;  // connections, ever

 private:
  Answer answer_;
  int listener_;
  uint16_t port_;
  std::list<Peer> clients_;
};

}  // namespace weir::store
