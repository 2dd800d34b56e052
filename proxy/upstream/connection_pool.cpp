#include "upstream/connection_pool.h"

#include "upstream/response_body.h"

namespace weir::upstream {

namespace {

constexpr size_t kPlaces = 1024;  // endpoints known; above, those without a connection are forgotten
// By one turn of the loop, when endpoints are gone:
constexpr size_t kLooked = 512;  // endpoints looked at
constexpr size_t kClosed = 64;   // connections closed

bool is_used_up(const Connection& connection, const ConnectionPool::Keep& keep) {
  return connection.predates_outage() || (keep.requests != 0 && connection.requests() >= keep.requests);
}

bool is_suited(const Connection& connection, const ConnectionPool::Keep& keep) {
  return connection.identity() == keep.identity && !is_used_up(connection, keep);
}

bool has_room(const Connection& connection, const ConnectionPool::Keep& keep) {
  return connection.capacity() > 0 && is_suited(connection, keep);
}

/// Connections without streams that are kept for the next ones.
size_t count_unused(List<Connection>& connections) {
  size_t count = 0;
  for (const Connection& connection : connections) count += connection.is_unused();
  return count;
}

Connection* first_with_room(List<Connection>& connections, const ConnectionPool::Keep& keep) {
  for (Connection& connection : connections) {
    if (has_room(connection, keep)) return &connection;
  }
  return nullptr;
}

}  // namespace

ConnectionPool::ConnectionPool(WorkerContext& worker) : worker_(worker) {
  retirement_.pool = this;
  retirement_.run = [](Ready& self) { static_cast<Retirement&>(self).pool->bury(); };
  clearing_.pool = this;
  clearing_.run = [](Ready& self) { static_cast<Clearing&>(self).pool->clear_some(); };
}

ConnectionPool::~ConnectionPool() {
  close_idle();
  retired_.splice(lent_);
  bury();
}

ConnectionPool::Making::~Making() {
  auto& place = pool_.place(endpoint_);
  --place.making;
  place.made.notify();
}

bool ConnectionPool::is_making(EndpointState& endpoint) {
  Place& place = this->place(endpoint);
  if (place.making > 0) return true;
  for (const Connection& connection : place.shared) {
    if (!connection.has_heard() && !is_used_up(connection, place.keep)) return true;
  }
  return false;
}

void ConnectionPool::heard(Connection& connection) { place(connection.endpoint()).made.notify(); }

Connection* ConnectionPool::take(EndpointState& endpoint, const Keep& keep, Reuse reuse) {
  Place& place = this->place(endpoint);
  place.keep = keep;
  if (Connection* connection = take_shared(place)) return connection;
  return reuse == Reuse::any ? take_idle(place) : nullptr;
}

/// What a connection without streams has to say is heard first. It may leave the list then: the search begins anew.
Connection* ConnectionPool::take_shared(Place& place) {
  while (Connection* connection = first_with_room(place.shared, place.keep)) {
    connection->use(place.keep.pings);
    if (connection->is_unused()) connection->catch_up();
    if (!has_room(*connection, place.keep)) continue;
    connection->stop_waiting();
    return connection;
  }
  return nullptr;
}

Connection* ConnectionPool::take_idle(Place& place) {
  while (Connection* connection = place.idle.pop_front()) {
    --place.size;
    connection->is_idle = false;
    connection->stop_waiting();
    lent_.push_back(*connection);
    if (is_suited(*connection, place.keep) && connection->is_quiet()) return connection;
    retire(*connection);
  }
  return nullptr;
}

Connection& ConnectionPool::open(std::shared_ptr<EndpointState> endpoint, int fd, uint64_t identity) {
  auto* connection = new Connection(worker_, *this, std::move(endpoint), fd, identity);
  lent_.push_back(*connection);
  return *connection;
}

void ConnectionPool::put(Connection& connection) {
  if (connection.codec().is_multiplexed()) return share(connection);
  Place& place = this->place(connection.endpoint());
  place.is_sharing = false;
  if (place.size >= place.keep.most || is_used_up(connection, place.keep)) return retire(connection);
  connection.unlink();
  place.idle.push_front(connection);
  ++place.size;
  connection.is_idle = true;
  connection.wait_idle(place.keep.idle);
}

void ConnectionPool::share(Connection& connection) {
  Place& place = this->place(connection.endpoint());
  place.is_sharing = true;
  connection.unlink();
  if (is_used_up(connection, place.keep)) {
    if (connection.is_unused()) return retire(connection);
    return lent_.push_back(connection);
  }
  const bool was_used = connection.is_unused() && connection.requests() > 0;
  if (was_used && count_unused(place.shared) >= place.keep.most) return retire(connection);
  (connection.is_trusted() ? place.shared : lent_).push_front(connection);
  if (connection.is_unused()) connection.wait_idle(place.keep.idle);
}

void ConnectionPool::retire(Connection& connection) {
  // Requests that wait for what the endpoint says on this connection look for another.
  if (const auto found = places_.find(&connection.endpoint()); found != places_.end() && !connection.has_heard()) {
    found->second.made.notify();
  }
  remove_idle(connection);
  connection.unlink();
  retired_.push_back(connection);
  worker_.loop.at_end_of_tick(retirement_);
}

void ConnectionPool::remove_idle(Connection& connection) {
  if (!std::exchange(connection.is_idle, false)) return;
  --place(connection.endpoint()).size;
}

size_t ConnectionPool::close_idle(Place& place, size_t most) {
  size_t closed = 0;
  for (; closed < most && !place.idle.is_empty(); ++closed) {
    Connection& connection = *place.idle.pop_front();
    --place.size;
    connection.is_idle = false;
    retired_.push_back(connection);
  }
  for (; closed < most && !place.shared.is_empty(); ++closed) {
    Connection& connection = *place.shared.pop_front();
    (connection.is_unused() ? retired_ : lent_).push_back(connection);
  }
  if (closed > 0) worker_.loop.at_end_of_tick(retirement_);
  return closed;
}

bool ConnectionPool::is_abandoned(const Place& place) {
  return place.size == 0 && place.shared.is_empty() && place.making == 0 && !place.made.is_awaited();
}

void ConnectionPool::keep_only(std::function<bool(const EndpointState&)> is_wanted) {
  clearing_.is_wanted = std::move(is_wanted);
  clearing_.left.clear();
  for (const auto& [endpoint, place] : places_) clearing_.left.push_back(endpoint);
  worker_.loop.at_end_of_tick(clearing_);
}

void ConnectionPool::clear_some() {
  auto& left = clearing_.left;
  size_t closed = 0;
  for (size_t looked = 0; looked < kLooked && closed < kClosed && !left.empty(); ++looked) {
    const auto found = places_.find(left.back());
    if (found == places_.end() || clearing_.is_wanted(*found->first)) {
      left.pop_back();
      continue;
    }
    Place& place = found->second;
    closed += close_idle(place, kClosed - closed);
    if (closed == kClosed) break;  // there may be more
    left.pop_back();
    if (is_abandoned(place)) places_.erase(found);
  }
  if (left.empty()) clearing_.is_wanted = {};
  else worker_.loop.at_end_of_tick(clearing_);
}

void ConnectionPool::close_idle() {
  for (auto& [endpoint, place] : places_) close_idle(place, SIZE_MAX);
  forget_abandoned();
}

void ConnectionPool::bury() {
  List<Connection> kept;
  while (Connection* connection = retired_.pop_front()) {
    // A request may have been on its way to a connection that an outage retired: it ends with that request.
    if (connection->is_unused()) delete connection;
    else kept.push_back(*connection);
  }
  lent_.splice(kept);
  // Names that resolve anew leave endpoints behind.
  if (places_.size() <= kPlaces || !sweep_.is_due(places_.size())) return;
  forget_abandoned();
  sweep_.done(places_.size());
}

/// What is held or awaited stays until it isn't.
void ConnectionPool::forget_abandoned() {
  std::erase_if(places_, [](const auto& entry) { return is_abandoned(entry.second); });
}

}  // namespace weir::upstream
