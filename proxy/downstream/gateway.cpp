#include "downstream/gateway.h"

#include <unistd.h>

#include "downstream/connection.h"
#include "net/read_proxy_header.h"

namespace weir::downstream {

namespace {

constexpr Duration kParting = std::chrono::milliseconds(500);
constexpr Duration kSettling = std::chrono::seconds(2);  // between two rounds
constexpr Duration kSettlingStep = std::chrono::milliseconds(8);
constexpr size_t kSettledAtOnce = 256;  // connections of a round: no turn of the loop is long
constexpr size_t kRefusedAtOnce = 64;   // connections over a limit that are still told why

/// A descriptor that is nobody's connection yet.
struct Arriving {
  Arriving(Loop& loop, int fd) : fd(fd), watch(loop, fd) {}
  Arriving(const Arriving&) = delete;
  Arriving& operator=(const Arriving&) = delete;
  ~Arriving() {
    watch.release();
    if (fd >= 0) ::close(fd);
  }
  int release() {
    watch.release();
    return std::exchange(fd, -1);
  }

  int fd;
  FdWatch watch;
};

}  // namespace

Gateway::Gateway(WorkerContext& worker, ClientCount& clients, ConnectionObserver& observer, std::string listener,
                 uint16_t port)
    : worker_(worker),
      clients_(clients),
      observer_(observer),
      listener_(std::move(listener)),
      port_(port),
      settling_(worker.loop, *this),
      draining_(worker.loop, *this),
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
  if (proxy_protocol_->trusts(peer)) return arrivals_.spawn(arrive(fd, peer));
  observer_.proxy_header_refused();
  ::close(fd);
}

Task<> Gateway::arrive(int fd, net::Address peer) {
  Arriving arriving(worker_.loop, fd);
  const Time deadline = worker_.loop.now() + proxy_protocol_->timeout;
  auto header = co_await net::read_proxy_header(worker_.loop, arriving.watch, fd, deadline);
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
    refusal = ErrorCode::overloaded;
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
  if (!settling_.is_running()) settling_.start(kSettling);
}

/// A client that is allowed in without a look needs no vetting.
void Gateway::use_tls(std::shared_ptr<const TlsListener> tls, Duration grace) {
  const bool is_stricter = tls && !tls->server->admits_all_of(tls_ ? tls_->server.get() : nullptr);
  tls_ = std::move(tls);
  if (!is_stricter) return;
  ++vetting_;
  if (connections_.is_empty()) return;
  to_settle_ = size_;
  settle();
  if (!barred_alarm_.is_running()) barred_alarm_.start(grace);
}

void Gateway::cut_barred() {
  List<Connection> kept;
  while (Connection* connection = connections_.pop_front()) {
    (connection->is_barred() ? retired_ : kept).push_back(*connection);
  }
  connections_.splice(kept);
  worker_.loop.at_end_of_tick(retirement_);
}

/// Looks for connections that are idle, and vets them, all of them in rounds.
void Gateway::settle() {
  if (to_drain_ > 0) return settling_.start(kSettling);  // both walk through the list
  if (to_settle_ == 0) to_settle_ = size_;
  for (size_t i = 0; i < kSettledAtOnce && to_settle_ > 0; ++i, --to_settle_) {
    Connection* const connection = connections_.pop_front();
    if (!connection) break;
    connections_.push_back(*connection);
    connection->rest();
    connection->vet();
  }
  if (connections_.is_empty()) to_settle_ = 0;
  else settling_.start(to_settle_ > 0 ? kSettlingStep : kSettling);
}

void Gateway::drain(bool on) {
  if (on && !is_draining_) {
    to_drain_ = size_;
    drain_some();
  }
  if (!on) to_drain_ = 0;
  is_draining_ = on;
}

/// Each costs a session that rests its unpacking: many at once would hold up the worker. Connections that come
/// meanwhile are told with their first response.
void Gateway::drain_some() {
  for (size_t i = 0; i < kSettledAtOnce && to_drain_ > 0; ++i, --to_drain_) {
    Connection* const connection = connections_.pop_front();
    if (!connection) break;
    connections_.push_back(*connection);
    connection->drain();
  }
  if (connections_.is_empty()) to_drain_ = 0;
  if (to_drain_ > 0) draining_.start(kSettlingStep);
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
  const Time then = worker_.loop.now() + grace;
  for (Connection& connection : connections_) connection.part_strays(*serving_->routes, then);
}

void Gateway::cut() {
  arrivals_.cancel();
  List<Connection> parting;
  while (Connection* connection = connections_.pop_front()) {
    (!is_parting_ && connection->part() ? parting : retired_).push_back(*connection);
  }
  connections_.splice(parting);
  is_parting_ = !connections_.is_empty();
  if (is_parting_) cut_alarm_.start(kParting);
  worker_.loop.at_end_of_tick(retirement_);
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
