#pragma once

#include <memory>
#include <optional>
#include <string>

#include "async/sleep.h"
#include "async/task_group.h"
#include "base/recycler.h"
#include "downstream/client_count.h"
#include "downstream/serving.h"
#include "downstream/stream.h"
#include "downstream/tls_listener.h"
#include "http/date.h"
#include "net/proxy_protocol.h"

namespace weir::downstream {

class Connection;

/// What the connections of one listener share on one worker, and their owner. One thread.
class Gateway {
 public:
  Gateway(WorkerContext& worker, ClientCount& clients, ConnectionObserver& observer, std::string listener,
          uint16_t port);
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;
  ~Gateway();

  /// Takes ownership of an accepted descriptor; refuses it (503, 429) past the limits.
  void open(int fd, const net::Address& peer);
  /// Connections begin with a PROXY header from here on; null: they don't. It lives as long as the snapshot served.
  void expect_proxy_header(const ProxyProtocol* settings) { proxy_protocol_ = settings; }
  /// From here on each response says that its connection closes. Idle connections stay open: a request may be on
  /// its way on any of them.
  void drain(bool on = true);
  void close_idle();
  /// Every connection is cut then; null takes the deadline back.
  void cut_after(std::optional<Duration> grace);
  /// Tunnels whose route the snapshot doesn't have any more end then.
  void part_strays_after(Duration grace);
  /// Ends every connection now; those with WebSockets have a moment to say so.
  void cut();
  size_t size() const { return size_ + arrivals_.size(); }
  /// Those of them that wait for their PROXY header.
  size_t arriving() const { return arriving_; }

  /// Destroys it at the end of this tick: it may be on the stack now.
  void retire(Connection& connection);

  WorkerContext& worker() { return worker_; }
  const std::string& listener() const { return listener_; }
  void use_port(uint16_t port) { port_ = port; }
  uint16_t port() const { return port_; }
  /// For connections from here on; null: they come in the clear. Open connections whose clients would not get in any
  /// more are barred: requests under way finish, new ones are refused, and after `grace` the connection is cut.
  void use_tls(std::shared_ptr<const TlsListener> tls, Duration grace);
  /// Changes whenever clients are asked for other certificates than before.
  uint32_t vetting() const { return vetting_; }
  /// Would this client, whose handshake is done, get in now? Null: it came without TLS.
  bool admits(const net::TlsSession* session) const { return !tls_ || tls_->server->admits(session); }
  const std::shared_ptr<const TlsListener>& tls() const { return tls_; }
  /// A connection of this gateway was barred.
  void has_barred();
  bool is_draining() const { return is_draining_; }
  const ServingRef& serving() const { return serving_; }
  /// The snapshot for exchanges from here on.
  void serve(ServingRef serving) { serving_ = std::move(serving); }
  Recycler<Stream>& streams() { return streams_; }
  ClientCount& clients() { return clients_; }
  ConnectionObserver& observer() { return observer_; }
  /// One that was over a limit has gone.
  void refused_closed() { --refused_; }
  /// Now, as a Date field; valid until the next call.
  std::string_view date();

 private:
  struct Retirement : EndOfTick {
    Gateway* gateway;
  };
  using ProxyHeaderPtr = std::unique_ptr<const net::ProxyHeader>;
  class Arriving;
  Task<> arrive(int fd, net::Address peer);
  void make_room_to_arrive();
  void admit(int fd, const net::Address& peer, ProxyHeaderPtr header);
  void bury();
  void begin_round();
  void visit();
  void visit(Connection& connection);
  void cut_barred();

  WorkerContext& worker_;
  ClientCount& clients_;
  ConnectionObserver& observer_;
  std::string listener_;
  uint16_t port_;
  std::shared_ptr<const TlsListener> tls_;
  bool is_draining_ = false;
  uint32_t vetting_ = 0;
  http::DateCache dates_;
  size_t size_ = 0;
  size_t refused_ = 0;
  ServingRef serving_;
  const ProxyProtocol* proxy_protocol_ = nullptr;
  Recycler<Stream> streams_;
  List<Connection> connections_;  // in no order
  Alarm<Gateway, &Gateway::visit> visits_;
  size_t to_visit_ = 0;            // connections of this round
  Time strays_end_ = Time::max();  // for tunnels whose route is gone
  Duration barred_grace_{};        // for connections that are barred
  uint32_t barred_by_ = 0;         // those barred by this vetting, or an earlier one, are cut by `barred_alarm_`
  List<Connection> retired_;
  Retirement retirement_;
  bool is_parting_ = false;  // the WebSockets have said that they go
  Alarm<Gateway, &Gateway::cut> cut_alarm_;
  Alarm<Gateway, &Gateway::cut_barred> barred_alarm_;
  List<Arriving> waiting_;  // for their PROXY header, the oldest first
  size_t arriving_ = 0;     // size of `waiting_`
  TaskGroup arrivals_;      // the same
};

}  // namespace weir::downstream
