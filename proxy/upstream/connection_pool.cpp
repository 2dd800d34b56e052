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

ConnectionPool::Seeker::Seeker(ConnectionPool& pool, EndpointState& endpoint)
    : pool_(pool), endpoint_(endpoint), called_(pool.worker_.loop) {
  Place& place = pool_.place(endpoint_);
  place.seekers.push_back(*this);
  ++place.seeking;
}

void ConnectionPool::Seeker::wait_again() {
  if (is_linked()) return;
  Place& place = pool_.place(endpoint_);
  place.seekers.push_front(*this);
  ++place.seeking;
}

/// One that was called, and leaves, may leave room behind.
ConnectionPool::Seeker::~Seeker() {
  Place& place = pool_.place(endpoint_);
  if (is_linked()) {
    unlink();
    --place.seeking;
  } else {
    call_seekers(place, 1);
  }
}

ConnectionPool::Making::Making(ConnectionPool& pool, EndpointState& endpoint) : pool_(pool), endpoint_(endpoint) {
  ++pool.place(endpoint).making;
}

ConnectionPool::Making::~Making() {
  if (is_over_) return;
  Place& place = pool_.place(endpoint_);
  --place.making;
  call_seekers(place, 0);
}

void ConnectionPool::Making::failed() { pool_.place(endpoint_).failed_at = pool_.worker_.loop.now(); }

void ConnectionPool::Making::made(Connection& connection, bool is_multiplexed) {
  Place& place = pool_.place(endpoint_);
  place.failed_at = Time::min();
  place.is_sharing = is_multiplexed;
  if (!is_multiplexed) return;  // all others make their own
  is_over_ = true;
  connection.is_expected = true;
}

uint32_t ConnectionPool::expected_streams(const Place& place) {
  const uint32_t most = place.keep.requests;
  return most == 0 ? place.streams : std::min(place.streams, most);
}

/// Each of those being made carries the request of whoever makes it.
size_t ConnectionPool::expected_room(const Place& place) {
  return size_t{place.making} * (expected_streams(place) - 1);
}

bool ConnectionPool::expects_room(EndpointState& endpoint) {
  const Place& place = this->place(endpoint);
  return place.seeking < expected_room(place);
}

/// Calls so many that there is room for, and of the others as many as have to make connections.
void ConnectionPool::call_seekers(Place& place, size_t room) {
  const size_t left = place.seeking - std::min<size_t>(place.seeking, room);
  const size_t expected = expected_room(place);
  const size_t streams = expected_streams(place);
  const size_t makers = left > expected ? (left - expected + streams - 1) / streams : 0;
  for (size_t calls = place.is_sharing ? room + makers : place.seeking; calls > 0; --calls) {
    Seeker* const seeker = place.seekers.pop_front();
    if (!seeker) return;
    --place.seeking;
    seeker->called_.notify();
  }
}

void ConnectionPool::heard(Connection& connection) {
  if (!std::exchange(connection.is_expected, false)) return;
  Place& place = this->place(connection.endpoint());
  --place.making;
  if (connection.is_closed()) {
    place.failed_at = worker_.loop.now();
    return call_seekers(place, 0);
  }
  const size_t room = connection.capacity();
  if (connection.is_trusted()) place.streams = static_cast<uint32_t>(room) + (connection.is_unused() ? 0 : 1);
  place.streams = std::max<uint32_t>(1, place.streams);
  call_seekers(place, room);
}

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
  if (connection.is_tied()) return retire(connection);
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
  if (connection.is_tied() && connection.requests() == 0)
    return lent_.push_back(connection);  // the request is on its way
  if (is_used_up(connection, place.keep)) {
    if (connection.is_unused()) return retire(connection);
    return lent_.push_back(connection);
  }
  const bool was_used = connection.is_unused() && connection.requests() > 0;
  if (was_used && count_unused(place.shared) >= place.keep.most) return retire(connection);
  (connection.is_trusted() ? place.shared : lent_).push_front(connection);
  if (connection.is_unused()) connection.wait_idle(place.keep.idle);
  if (place.seeking > 0 && connection.has_heard()) call_seekers(place, 1);  // a request has left
}

/// Requests that wait for what the endpoint says on this connection look for another.
void ConnectionPool::give_up(Connection& connection) {
  if (!std::exchange(connection.is_expected, false)) return;
  Place& place = this->place(connection.endpoint());
  --place.making;
  call_seekers(place, 0);
}

void ConnectionPool::retire(Connection& connection) {
  give_up(connection);
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
    const bool is_unused = connection.is_unused();
    if (is_unused) give_up(connection);
    (is_unused ? retired_ : lent_).push_back(connection);
  }
  if (closed > 0) worker_.loop.at_end_of_tick(retirement_);
  return closed;
}

bool ConnectionPool::is_abandoned(const Place& place) {
  return place.size == 0 && place.shared.is_empty() && place.making == 0 && place.seekers.is_empty();
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
