#include "downstream/gateway.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "downstream/connection.h"
#include "net/read_proxy_header.h"

namespace weir::downstream {

namespace {

constexpr Duration kParting = std::chrono::milliseconds(500);
constexpr Duration kRound = std::chrono::seconds(2);  // between two rounds
constexpr Duration kStep = std::chrono::milliseconds(8);
constexpr size_t kVisitedAtOnce = 256;  // connections of a round: no turn of the loop is long
constexpr size_t kRefusedAtOnce = 64;   // connections over a limit that are still told why

}  // namespace

/// A connection whose PROXY header is on its way: open, of a client that isn't known yet.
class Gateway::Arriving : public ListNode {
 public:
  Arriving(Gateway& gateway, int fd) : gateway_(gateway), fd_(fd), watch_(gateway.worker_.loop, fd) {
    gateway_.waiting_.push_back(*this);
    ++gateway_.arriving_;
    gateway_.observer_.connection_opened();
  }
  Arriving(const Arriving&) = delete;
  Arriving& operator=(const Arriving&) = delete;
  ~Arriving() {
    if (fd_ < 0) return;
    ::close(release());
    gateway_.observer_.connection_closed();
  }
  FdWatch& watch() { return watch_; }
  /// Makes room for another: who reads its header finds the end.
  void give_up() {
    settle();
    ::shutdown(fd_, SHUT_RD);
  }
  /// A Connection takes the descriptor, and closes what is open.
  int release() {
    watch_.release();
    settle();
    return std::exchange(fd_, -1);
  }

 private:
  void settle() {
    if (!is_linked()) return;
    unlink();
    --gateway_.arriving_;
  }

  Gateway& gateway_;
  int fd_;
  FdWatch watch_;
};

Gateway::Gateway(WorkerContext& worker, ClientCount& clients, ConnectionObserver& observer, std::string listener,
                 uint16_t port)
    : worker_(worker),
      clients_(clients),
      observer_(observer),
      listener_(std::move(listener)),
      port_(port),
      visits_(worker.loop, *this),
      cut_alarm_(worker.loop, *this),
      barred_alarm_(worker.loop, *this),
      arrivals_(worker.loop) {
  retirement_.gateway = this;
  retirement_.run = [](Ready& self) { static_cast<Retirement&>(self).gateway->bury(); };
}

Gateway::~Gateway() {
  retired_.splice(connections_);
  bury();
}

void Gateway::open(int fd, const net::Address& peer) {
  if (!proxy_protocol_) return admit(fd, peer, nullptr);
  if (!proxy_protocol_->trusts(peer)) {
    observer_.proxy_header_refused();
    ::close(fd);
    return;
  }
  make_room_to_arrive();
  arrivals_.spawn(arrive(fd, peer));
}

/// One client may have made all that wait, and no limit by client holds for them. Whoever sends its header is through
/// at once, so those that have waited for longest are the ones to go.
void Gateway::make_room_to_arrive() {
  constexpr size_t kPart = 16;  // of all connections, for each worker and listener
  const size_t most = std::max<size_t>(1, serving_->policy->limits.connections / kPart);
  if (arriving_ >= most) waiting_.front().give_up();
}

Task<> Gateway::arrive(int fd, net::Address peer) {
  Arriving arriving(*this, fd);
  const Time deadline = worker_.loop.now() + proxy_protocol_->timeout;
  auto header = co_await net::read_proxy_header(worker_.loop, arriving.watch(), fd, deadline);
  if (!header) {
    observer_.proxy_header_refused();
    co_return;
  }
  if (header->ends) peer = header->ends->source;
  admit(arriving.release(), peer, std::make_unique<const net::ProxyHeader>(std::move(*header)));
}

void Gateway::admit(int fd, const net::Address& peer, ProxyHeaderPtr header) {
  const auto& limits = serving_->policy->limits;
  const bool by_client = limits.connections_per_client != 0;
  const auto count = clients_.add(peer, by_client);
  std::optional<ErrorCode> refusal;
  if (count.all > limits.connections) {
    observer_.connection_refused(ConnectionObserver::Limit::all);
    refusal = ErrorCode::connection_limit;
  } else if (by_client && count.of_client > limits.connections_per_client) {
    observer_.connection_refused(ConnectionObserver::Limit::client);
    refusal = ErrorCode::too_many_connections;
  }
  if (refusal) {
    // Whoever is only told why takes nobody's place.
    clients_.remove(peer, by_client);
    if (refused_ >= kRefusedAtOnce) {
      ::close(fd);
      return;
    }
    ++refused_;
  }
  auto* connection = new Connection(*this, fd, peer, refusal, by_client, std::move(header));
  connections_.push_back(*connection);
  ++size_;
  if (!visits_.is_running()) visits_.start(kRound);
}

/// A client that is allowed in without a look needs no vetting.
void Gateway::use_tls(std::shared_ptr<const TlsListener> tls, Duration grace) {
  const bool is_stricter = tls && !tls->server->admits_all_of(tls_ ? tls_->server.get() : nullptr);
  tls_ = std::move(tls);
  if (!is_stricter) return;
  ++vetting_;
  barred_grace_ = grace;
  begin_round();
}

void Gateway::has_barred() {
  observer_.connection_barred();
  if (barred_alarm_.is_running()) return;
  barred_by_ = vetting_;
  barred_alarm_.start(barred_grace_);
}

/// Those that a later vetting has barred have their own grace.
void Gateway::cut_barred() {
  bool are_left = false;
  List<Connection> kept;
  while (Connection* connection = connections_.pop_front()) {
    kept.push_back(*connection);
    if (!connection->is_barred()) continue;
    if (connection->vetted() <= barred_by_) retire(*connection);
    else are_left = true;
  }
  connections_.splice(kept);
  if (!are_left) return;
  barred_by_ = vetting_;
  barred_alarm_.start(barred_grace_);
}

// The one walk through the connections, in steps. Each step moves connections from the front of the list to its end, so
// that it does not matter what else takes connections out of the list, or adds some. A round is as many connections as
// there were when it began; whoever has something for all of them begins a round at once, in place of the one under
// way.

void Gateway::begin_round() {
  to_visit_ = size_;
  visit();
}

void Gateway::visit() {
  if (to_visit_ == 0) to_visit_ = size_;
  for (size_t i = 0; i < kVisitedAtOnce && to_visit_ > 0; ++i, --to_visit_) {
    Connection* const connection = connections_.pop_front();
    if (!connection) break;
    connections_.push_back(*connection);
    visit(*connection);
  }
  if (connections_.is_empty()) {
    to_visit_ = 0;
    visits_.stop();
  } else {
    visits_.start(to_visit_ > 0 ? kStep : kRound);
  }
}

/// To tell a session that rests of a drain costs its unpacking: that is what makes steps of many connections long.
void Gateway::visit(Connection& connection) {
  connection.vet();
  connection.part_strays(*serving_->routes, strays_end_);
  if (is_draining_) connection.drain();
  else connection.rest();
}

/// Connections that come meanwhile are told with their first response.
void Gateway::drain(bool on) {
  const bool begins = on && !is_draining_;
  is_draining_ = on;
  if (begins) begin_round();
}

void Gateway::close_idle() {
  arrivals_.cancel();
  List<Connection> kept;
  while (Connection* connection = connections_.pop_front()) {
    kept.push_back(*connection);
    if (connection->is_idle() && !connection->is_owed()) connection->close();
  }
  connections_.splice(kept);
}

std::string_view Gateway::date() {
  return dates_.at(std::chrono::floor<std::chrono::seconds>(worker_.loop.clock().wall()));
}

void Gateway::cut_after(std::optional<Duration> grace) {
  if (!grace) {
    is_parting_ = false;
    return cut_alarm_.stop();
  }
  if (!cut_alarm_.is_running()) cut_alarm_.start(*grace);
}

void Gateway::part_strays_after(Duration grace) {
  strays_end_ = worker_.loop.now() + grace;
  begin_round();
}

void Gateway::cut() {
  arrivals_.cancel();
  List<Connection> parting;
  while (Connection* connection = connections_.pop_front()) {
    parting.push_back(*connection);
    if (is_parting_ || !connection->part()) retire(*connection);
  }
  connections_.splice(parting);
  is_parting_ = !connections_.is_empty();
  if (is_parting_) cut_alarm_.start(kParting);
}

void Gateway::retire(Connection& connection) {
  connection.unlink();
  retired_.push_back(connection);
  worker_.loop.at_end_of_tick(retirement_);
}

void Gateway::bury() {
  while (Connection* connection = retired_.pop_front()) {
    --size_;
    delete connection;
  }
}

}  // namespace weir::downstream
