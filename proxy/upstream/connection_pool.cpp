#include "upstream/connection_pool.h"

#include "upstream/secure.h"

namespace weir::upstream {

ConnectionPool::ConnectionPool(WorkerContext& worker) : worker_(worker) {
  retirement_.pool = this;
  retirement_.run = [](Ready& self) { static_cast<Retirement&>(self).pool->bury(); };
}

ConnectionPool::~ConnectionPool() {
  close_idle();
  retired_.splice(lent_);
  bury();
}

Connection* ConnectionPool::take(EndpointState& endpoint, const Keep& keep) {
  const auto found = idle_.find(&endpoint);
  if (found == idle_.end()) {
    idle_[&endpoint].keep = keep;
    return nullptr;
  }
  Idle& idle = found->second;
  idle.keep = keep;
  while (Connection* connection = idle.connections.pop_front()) {
    --idle.size;
    connection->is_idle = false;
    connection->stop_waiting();
    lent_.push_back(*connection);
    if (identity_of(connection->socket()) == keep.identity) return connection;
    retire(*connection);
  }
  return nullptr;
}

Connection& ConnectionPool::open(std::shared_ptr<EndpointState> endpoint, int fd) {
  auto* connection = new Connection(worker_, *this, std::move(endpoint), fd);
  lent_.push_back(*connection);
  return *connection;
}

void ConnectionPool::put(Connection& connection) {
  Idle& idle = idle_[&connection.endpoint()];
  if (idle.size >= idle.keep.most || (idle.keep.requests != 0 && connection.requests() >= idle.keep.requests)) {
    return retire(connection);
  }
  connection.unlink();
  idle.connections.push_front(connection);
  ++idle.size;
  connection.is_idle = true;
  connection.wait_idle(idle.keep.idle);
}

void ConnectionPool::retire(Connection& connection) {
  remove_idle(connection);
  connection.unlink();
  retired_.push_back(connection);
  worker_.loop.at_end_of_tick(retirement_);
}

void ConnectionPool::remove_idle(Connection& connection) {
  if (!std::exchange(connection.is_idle, false)) return;
  --idle_[&connection.endpoint()].size;
}

void ConnectionPool::keep_only(const std::function<bool(const EndpointState&)>& is_wanted) {
  for (auto it = idle_.begin(); it != idle_.end();) {
    if (is_wanted(*it->first)) {
      ++it;
      continue;
    }
    for (auto& connection : it->second.connections) connection.is_idle = false;
    retired_.splice(it->second.connections);
    it = idle_.erase(it);
  }
  worker_.loop.at_end_of_tick(retirement_);
}

void ConnectionPool::close_idle() {
  keep_only([](const EndpointState&) { return false; });
}

void ConnectionPool::bury() {
  while (Connection* connection = retired_.pop_front()) delete connection;
  // Names that resolve anew leave endpoints behind.
  if (idle_.size() > 1024) std::erase_if(idle_, [](const auto& entry) { return entry.second.size == 0; });
}

}  // namespace weir::upstream
