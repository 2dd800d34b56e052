#include "downstream/gateway.h"

#include <unistd.h>

#include "downstream/connection.h"

namespace weir::downstream {

namespace {

constexpr uint64_t kRefusedAtOnce = 128;  // connections over the limit that are still told why

}  // namespace

Gateway::Gateway(WorkerContext& worker, ClientCount& clients, ConnectionObserver& observer, std::string listener, uint16_t port)
    : worker_(worker), clients_(clients), observer_(observer), listener_(std::move(listener)), port_(port) {
  retirement_.gateway = this;
  retirement_.run = [](Ready& self) { static_cast<Retirement&>(self).gateway->bury(); };
}

Gateway::~Gateway() {
  retired_.splice(connections_);
  bury();
}

void Gateway::open(int fd, const net::Address& peer) {
  const auto& limits = serving_->policy->limits;
  const auto count = clients_.add(peer, limits.connections_per_client != 0);
  std::optional<ErrorCode> refusal;
  if (count.all > limits.connections) {
    observer_.connection_refused(ConnectionObserver::Limit::all);
    refusal = ErrorCode::overloaded;
  } else if (limits.connections_per_client != 0 && count.of_client > limits.connections_per_client) {
    observer_.connection_refused(ConnectionObserver::Limit::client);
    refusal = ErrorCode::too_many_connections;
  }
  if (count.all > limits.connections + kRefusedAtOnce) {
    clients_.remove(peer);
    ::close(fd);
    return;
  }
  auto* connection = new Connection(*this, fd, peer, refusal);
  connections_.push_back(*connection);
  ++size_;
}

void Gateway::close_idle() {
  List<Connection> kept;
  while (Connection* connection = connections_.pop_front()) {
    (connection->is_idle() ? retired_ : kept).push_back(*connection);
  }
  connections_.splice(kept);
  if (!retired_.is_empty()) worker_.loop.at_end_of_tick(retirement_);
}

std::string_view Gateway::date() {
  return dates_.at(std::chrono::floor<std::chrono::seconds>(worker_.loop.clock().wall()));
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
