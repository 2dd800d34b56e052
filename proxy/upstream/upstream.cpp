#include "upstream/upstream.h"

#include <algorithm>
#include <random>

namespace weir::upstream {

namespace {

Random& thread_random() {
  thread_local Random random{(uint64_t{std::random_device{}()} << 32) | std::random_device{}()};
  return random;
}

std::vector<EndpointSpec> written_addresses(const UpstreamSettings& settings) {
  std::vector<EndpointSpec> specs;
  for (const auto& endpoint : settings.endpoints) {
    if (!endpoint.is_name()) specs.push_back(endpoint.at(endpoint.parsed));
  }
  return specs;
}

/// Takes one of the endpoint's places; false when another worker took the last one.
bool occupy(const Endpoint& endpoint) {
  auto& active = endpoint.state->active;
  const uint32_t limit = endpoint.limit();
  if (limit == 0) {
    ++active;
    return true;
  }
  uint32_t used = active.load();
  do {
    if (used >= limit) return false;
  } while (!active.compare_exchange_weak(used, used + 1));
  return true;
}

}  // namespace

Upstream::Upstream(std::string name, uint32_t index, UpstreamSettings settings, std::shared_ptr<UpstreamState> state,
                   unsigned workers, Time now)
    : name_(std::move(name)),
      index_(index),
      settings_(std::move(settings)),
      state_(std::move(state)),
      is_dynamic_(std::ranges::any_of(settings_.endpoints, &EndpointSettings::is_name)),
      views_(is_dynamic_ ? workers : 0) {
  set_ = std::make_shared<EndpointSet>(settings_, written_addresses(settings_), *state_, now);
  version_ = 1;
  if (!is_dynamic_) state_->settle();
}

void Upstream::publish(std::vector<EndpointSpec> specs, Time now) {
  auto next = std::make_shared<const EndpointSet>(settings_, std::move(specs), *state_, now);
  state_->settle();
  {
    const std::lock_guard lock(mutex_);
    set_.swap(next);
    ++version_;
  }
  for (uint32_t waiting = state_->queue.size(); waiting > 0; --waiting) state_->queue.call_next();
}

std::shared_ptr<const EndpointSet> Upstream::endpoints() const {
  const std::lock_guard lock(mutex_);
  return set_;
}

std::shared_ptr<const EndpointSet> Upstream::current(unsigned worker) const {
  if (worker >= views_.size()) return endpoints();
  View& view = views_[worker];
  if (view.version != version_.load(std::memory_order_acquire)) {
    const std::lock_guard lock(mutex_);
    view = {version_, set_};
  }
  return view.set;
}

Pick Upstream::pick_for(Exchange& exchange) const {
  Pick pick{state_->turn, thread_random(), exchange.loop().now()};
  if (!exchange.attempts.empty()) pick.tried = &exchange.attempts;
  pick.is_only_untried = exchange.destination.is_only_untried;
  if (settings_.slow_start.window > Duration::zero()) pick.slow_start = &settings_.slow_start;
  if (is_hash(settings_.balance.value.policy)) {
    const auto key = settings_.balance.value.key.evaluate(exchange);
    pick.key = key.empty() ? pick.random.next() : hash(key);  // without a key anywhere will do
  }
  return pick;
}

std::optional<Result<EndpointLease>> Upstream::take(Exchange& exchange) const {
  auto keep = is_dynamic_ ? current(exchange.worker.index) : nullptr;
  const EndpointSet& set = keep ? *keep : *set_;
  const Pick pick = pick_for(exchange);
  for (;;) {
    const auto choice = set.choose(pick);
    if (choice.is_full) return std::nullopt;
    if (!choice.endpoint) {
      return weir::fail(ErrorCode::no_endpoint, Side::self, "no endpoint of the upstream is up", RetrySafe::yes);
    }
    if (!occupy(*choice.endpoint)) continue;
    choice.endpoint->state->requests.fetch_add(1, std::memory_order_relaxed);
    return EndpointLease(*choice.endpoint, *state_, std::move(keep), pick.now);
  }
}

std::optional<Result<EndpointLease>> Upstream::try_acquire(Exchange& exchange) const {
  if (state_->queue.is_awaited()) return std::nullopt;
  return take(exchange);
}

Task<Result<EndpointLease>> Upstream::acquire(Exchange& exchange) const {
  if (auto lease = try_acquire(exchange)) co_return std::move(*lease);
  auto place = state_->queue.enter(exchange.loop(), settings_.queue.size);
  if (!place)
    co_return weir::fail(ErrorCode::overflow, Side::self, "too many requests wait for an endpoint", RetrySafe::yes);
  const Time deadline = std::min(exchange.attempt_deadline(), exchange.loop().now() + settings_.queue.timeout);
  while (co_await place->turn(deadline)) {
    if (auto lease = take(exchange)) co_return std::move(*lease);
  }
  co_return weir::fail(ErrorCode::queue_timeout, Side::self, "no endpoint had a place in time", RetrySafe::yes);
}

}  // namespace weir::upstream
