#pragma once

#include <functional>
#include <unordered_map>

#include "upstream/connection.h"

namespace weir::upstream {

/// A worker's connections to endpoints: owns them all, lends the idle ones, the latest first. One thread.
class ConnectionPool {
 public:
  explicit ConnectionPool(WorkerContext& worker);
  ConnectionPool(const ConnectionPool&) = delete;
  ConnectionPool& operator=(const ConnectionPool&) = delete;
  ~ConnectionPool();

  /// How an endpoint's idle connections are kept; set whenever a request uses it.
  struct Keep {
    Duration idle = std::chrono::seconds(60);
    uint32_t most = 512;
    uint32_t requests = 0;  // on one connection; 0 = no bound
    uint64_t identity = 0;  // of its TLS; what was spoken otherwise isn't used again
  };

  /// An idle connection, or null.
  Connection* take(EndpointState& endpoint, const Keep& keep);
  /// A new one on a descriptor whose connect has begun.
  Connection& open(std::shared_ptr<EndpointState> endpoint, int fd);

  // For connections.
  void put(Connection& connection);
  /// Destroys it at the end of this tick: it may be on the stack now.
  void retire(Connection& connection);

  /// Closes what idles at endpoints that `is_wanted` doesn't know any more.
  void keep_only(const std::function<bool(const EndpointState&)>& is_wanted);
  void close_idle();

 private:
  struct Idle {
    List<Connection> connections;  // the latest in front
    uint32_t size = 0;
    Keep keep;
  };
  struct Retirement : EndOfTick {
    ConnectionPool* pool;
  };
  void bury();
  void remove_idle(Connection& connection);

  WorkerContext& worker_;
  std::unordered_map<const EndpointState*, Idle> idle_;
  List<Connection> lent_;
  List<Connection> retired_;
  Retirement retirement_;
};

}  // namespace weir::upstream
