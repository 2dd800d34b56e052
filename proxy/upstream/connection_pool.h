#pragma once

#include <functional>
#include <unordered_map>
#include <vector>

#include "base/sweep.h"
#include "upstream/connection.h"

namespace weir::upstream {

/// A worker's connections to endpoints: owns them all, lends the idle ones, the latest first, and shares those that
/// carry many requests at once. One thread.
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
    uint64_t identity = 0;  // of what is spoken: a connection with another isn't used again
    PingSettings pings;
  };
  /// Which connections may carry a request: any, or none that has only idled (a request on one has just failed).
  enum class Reuse : uint8_t { any, shared };

  /// A connection that takes a request now, or null. What has arrived on an idle one is noticed first: it isn't lent
  /// when that is its end, or bytes that would pass for the response (RFC 9112 section 9.2).
  Connection* take(EndpointState& endpoint, const Keep& keep, Reuse reuse = Reuse::any);
  /// A new one on a descriptor whose connect has begun.
  Connection& open(std::shared_ptr<EndpointState> endpoint, int fd, uint64_t identity = 0);

  /// Somebody else is making a connection that may be shared, or one is there that hasn't said yet how many requests
  /// it takes: `made` tells when that is over.
  bool is_making(EndpointState& endpoint);
  /// A connection that may be shared is being established.
  bool is_connecting(EndpointState& endpoint) { return place(endpoint).making > 0; }
  /// The last connection there turned out to carry one request at a time.
  bool is_sharing(EndpointState& endpoint) { return place(endpoint).is_sharing; }
  Signal& made(EndpointState& endpoint) { return place(endpoint).made; }
  /// Held by who makes one.
  class Making {
   public:
    Making(ConnectionPool& pool, EndpointState& endpoint) : pool_(pool), endpoint_(endpoint) {
      ++pool.place(endpoint).making;
    }
    Making(const Making&) = delete;
    Making& operator=(const Making&) = delete;
    ~Making();

   private:
    ConnectionPool& pool_;
    EndpointState& endpoint_;
  };

  // For connections.
  /// It is known now how many requests it takes.
  void heard(Connection& connection);
  const PingSettings& pings(Connection& connection) { return place(connection.endpoint()).keep.pings; }
  void put(Connection& connection);
  /// Destroys it at the end of this tick: it may be on the stack now.
  void retire(Connection& connection);

  /// Closes what idles at endpoints that `is_wanted` doesn't know any more: some in each turn of the loop, since there
  /// may be thousands. A later call takes the place of one that isn't done.
  void keep_only(std::function<bool(const EndpointState&)> is_wanted);
  /// All at once.
  void close_idle();

 private:
  /// What a worker has at one endpoint.
  struct Place {
    explicit Place(Loop& loop) : made(loop) {}
    List<Connection> idle;  // the latest in front
    uint32_t size = 0;      // of `idle`
    List<Connection> shared;
    uint32_t making = 0;
    bool is_sharing = true;  // until it is known
    Signal made;
    Keep keep;
  };
  struct Retirement : EndOfTick {
    ConnectionPool* pool;
  };
  struct Clearing : EndOfTick {
    ConnectionPool* pool;
    std::function<bool(const EndpointState&)> is_wanted;
    std::vector<const EndpointState*> left;  // endpoints not looked at yet; some may be gone from `places_`
  };
  Place& place(EndpointState& endpoint) { return places_.try_emplace(&endpoint, worker_.loop).first->second; }
  void share(Connection& connection);
  Connection* take_shared(Place& place);
  Connection* take_idle(Place& place);
  /// Closes up to `most` connections, and returns how many that were.
  size_t close_idle(Place& place, size_t most);
  void clear_some();
  static bool is_abandoned(const Place& place);
  void forget_abandoned();
  void bury();
  void remove_idle(Connection& connection);

  WorkerContext& worker_;
  std::unordered_map<const EndpointState*, Place> places_;
  List<Connection> lent_;
  List<Connection> retired_;
  Retirement retirement_;
  Clearing clearing_;
  Sweep sweep_;
};

}  // namespace weir::upstream
