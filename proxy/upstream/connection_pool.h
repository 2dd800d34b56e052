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

  // Connections that many requests may share, while they are being made: until it is known how many requests they take.
  /// The last connection there turned out to carry more than one request at a time.
  bool is_sharing(EndpointState& endpoint) { return place(endpoint).is_sharing; }
  /// Those being made are expected to take one more than the requests that wait for them.
  bool expects_room(EndpointState& endpoint);
  /// The last attempt to make one failed, and no earlier than `since`.
  bool has_failed_since(EndpointState& endpoint, Time since) { return place(endpoint).failed_at >= since; }

  /// A request in line for one that others are making. Called when there may be room for it, or when it is to make one
  /// of its own; it leaves the line with that.
  class Seeker : public ListNode {
   public:
    Seeker(ConnectionPool& pool, EndpointState& endpoint);
    Seeker(const Seeker&) = delete;
    Seeker& operator=(const Seeker&) = delete;
    ~Seeker();
    Signal::Awaiter called() { return called_.wait(); }
    /// Found no room: in line again, before all others.
    void wait_again();

   private:
    friend ConnectionPool;
    ConnectionPool& pool_;
    EndpointState& endpoint_;
    Signal called_;
  };

  /// Held by who makes one. Destroyed before `made`, it was given up.
  class Making {
   public:
    Making(ConnectionPool& pool, EndpointState& endpoint);
    Making(const Making&) = delete;
    Making& operator=(const Making&) = delete;
    ~Making();
    /// The endpoint took no connection.
    void failed();
    /// It is established, and will say how many requests it takes if it takes more than one at a time.
    void made(Connection& connection, bool is_multiplexed);

   private:
    ConnectionPool& pool_;
    EndpointState& endpoint_;
    bool is_over_ = false;
  };

  // For connections.
  /// It is known now how many requests it takes: maybe none.
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
  /// RFC 9113 section 6.5.2 recommends to take no fewer.
  static constexpr uint32_t kAssumedStreams = 100;

  /// What a worker has at one endpoint.
  struct Place {
    List<Connection> idle;  // the latest in front
    uint32_t size = 0;      // of `idle`
    List<Connection> shared;
    bool is_sharing = true;  // until it is known
    uint32_t making = 0;
    uint32_t streams = kAssumedStreams;  // requests at once that the last of `shared` took
    Time failed_at = Time::min();        // the last attempt to make one; min = it did not fail
    List<Seeker> seekers;
    uint32_t seeking = 0;  // size of `seekers`
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
  Place& place(EndpointState& endpoint) { return places_.try_emplace(&endpoint).first->second; }
  void share(Connection& connection);
  /// Requests that a new connection is expected to take at once; and those of others that all being made will take.
  static uint32_t expected_streams(const Place& place);
  static size_t expected_room(const Place& place);
  static void call_seekers(Place& place, size_t room);
  void give_up(Connection& connection);
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
