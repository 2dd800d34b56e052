#include "upstream/upstream.h"

#include <algorithm>
#include <random>

#include "exchange/client_networks.h"
#include "exchange/grpc.h"
#include "upstream/health_header.h"

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

/// No request may go to the endpoints, and none waits for them.
Error full(std::string_view detail) {
  return {ErrorCode::overflow, Side::self, detail, RetrySafe::yes, "max_requests"};
}
constexpr Error kQueueFull{ErrorCode::overflow, Side::self, "too many requests wait for an endpoint", RetrySafe::yes,
                           "queue"};
constexpr Error kShareFull{ErrorCode::overflow, Side::self,
                           "this client has its share of the queue; one client fills half of it at most",
                           RetrySafe::yes, "queue"};
constexpr Error kWaitedTooLong{ErrorCode::queue_timeout, Side::self, "no endpoint had a place in time", RetrySafe::yes,
                               "queue"};

/// Takes one of the endpoint's places; false when another worker took the last one, or it is promised by now.
bool occupy(const Endpoint& endpoint, uint32_t own) {
  auto& active = endpoint.state->active;
  const uint32_t limit = endpoint.limit();
  if (limit == 0) {
    ++active;
    return true;
  }
  uint32_t used = active.load();
  do {
    if (used + endpoint.state->promised.load() - own >= limit) return false;
  } while (!active.compare_exchange_weak(used, used + 1));
  return true;
}

/// A permit, if there is a gate that wants one.
Result<Gate::Permit> ask(Gate* gate, const Pick& pick) {
  if (!gate) return Gate::Permit();
  return gate->admit(pick.now, pick.asker);
}

/// Why none of the endpoints may be had: those that are up, or that panic uses, have gates that refuse, and say so; or
/// there are none.
Error refusal_of(const EndpointSet& set, const Pick& pick, Arena& arena) {
  for (const Endpoint& endpoint : set.all()) {
    if (!set.reaches(endpoint) || endpoint.is_open_to_requests(pick.now, pick.asker)) continue;
    if (auto permit = endpoint.gate->admit(pick.now, pick.asker); !permit) {
      permit.error().by = arena.copy(permit.error().by);  // the endpoint may go before the exchange does
      return permit.error();
    }
  }
  if (set.all().empty() && !set.unresolved().empty())
    return {ErrorCode::dns_error, Side::self, "no name of the upstream's endpoints is resolved", RetrySafe::yes};
  return {ErrorCode::no_endpoint, Side::self, "no endpoint of the upstream is up", RetrySafe::yes};
}

}  // namespace

uint16_t meant_status(const http::ResponseHead& head) {
  if (head.status != 200 || !is_grpc(head.headers)) return head.status;
  const auto said = head.headers.get("grpc-status").value_or("");
  if (said == "14") return 503;  // unavailable
  if (said == "13") return 500;  // internal
  return head.status;
}

Upstream::Upstream(std::string name, uint32_t index, UpstreamSettings settings, std::shared_ptr<UpstreamState> state,
                   unsigned workers, Time now)
    : name_(std::move(name)),
      index_(index),
      settings_(std::move(settings)),
      state_(std::move(state)),
      gate_(settings_.make_gate ? settings_.make_gate("") : nullptr),
      is_dynamic_(std::ranges::any_of(settings_.endpoints, &EndpointSettings::is_name)),
      views_(is_dynamic_ ? workers : 0) {
  set_ = std::make_shared<EndpointSet>(settings_, written_addresses(settings_), *state_, now);
  version_ = 1;
  if (!is_dynamic_) state_->settle();
  if (settings_.outlier_detection) outlier_ = std::make_unique<Outlier>(*this, *settings_.outlier_detection);
}

/// A failure is no sample of latency, unless time ran out: it would count as a quick response.
void Upstream::measure(EndpointState& endpoint, Outcome outcome, uint16_t status, std::optional<Duration> took,
                       Time now) const {
  const bool has_failed = outcome != Outcome::answered || status >= 500;
  endpoint.failing.observe(has_failed);
  if (settings_.balance.value.policy != Policy::peak_ewma) return;
  if (took && (!has_failed || outcome == Outcome::timed_out)) endpoint.latency.observe(*took, now);
}

void Upstream::observe(EndpointState& endpoint, Outcome outcome, http::ResponseHead* head, std::optional<Duration> took,
                       Time now) const {
  if (outlier_) outlier_->observe(endpoint, outcome, head ? meant_status(*head) : uint16_t{0}, now);
  if (concerns_endpoint(outcome) && heeds_load(settings_.balance.value.policy))
    measure(endpoint, outcome, head ? head->status : uint16_t{0}, took, now);
  if (head && !settings_.health_header.empty()) heed_health_header(*this, endpoint, *head, now);
}

void Upstream::ended_unanswered(EndpointState& endpoint, const Error& error, Time now) const {
  if (endpoint.backoff.ended_unanswered(now)) state_->health.cannot_connect(endpoint, error.detail);
}

void Upstream::spare_own_circuit(EndpointLease& lease, Exchange& exchange) const {
  if (!gate_ || !lease.endpoint().gate) return;
  const auto set = endpoints();
  const Time now = exchange.loop().now();
  const auto is_well = [&](const Endpoint& endpoint) {
    const auto& state = *endpoint.state;
    return &state != &lease.state() && set->reaches(endpoint) && !state.backoff.is_paused(now) &&
           endpoint.is_open_to_requests(now, exchange) && state.is_succeeding();
  };
  if (std::ranges::any_of(set->all(), is_well)) lease.excuse_upstream();
}

bool Upstream::has_untried(Exchange& exchange) const {
  const auto set = endpoints();
  Pick pick = pick_for(exchange, Candidates::untried);
  pick.worst = Health::ejected;  // what `reaches` says counts
  pick.heeds_pauses = false;
  return std::ranges::any_of(
      set->all(), [&](const Endpoint& endpoint) { return set->reaches(endpoint) && pick.is_eligible(endpoint); });
}

void Upstream::count_http1_instead() const {
  state_->health.metrics()
      .counter("http1_instead", "Requests sent over HTTP/1.1, since the endpoint can't serve them over HTTP/2",
               {{"upstream", name_}})
      .add();
}

void Upstream::recovered(const EndpointState& endpoint, Time now) const {
  const auto set = endpoints();
  for (const Endpoint& one : set->all()) {
    if (one.state.get() == &endpoint && one.gate) one.gate->recovered(now);
  }
}

void Upstream::publish(std::vector<EndpointSpec> specs, Time now, std::vector<UnresolvedName> unresolved) {
  auto next = std::make_shared<const EndpointSet>(settings_, std::move(specs), *state_, now, std::move(unresolved));
  state_->settle();
  {
    const std::lock_guard lock(mutex_);
    set_.swap(next);
    ++version_;
  }
  state_->queue.call_all();
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

Pick Upstream::pick_for(Exchange& exchange, Candidates among) const {
  Pick pick{state_->turn, thread_random(), exchange.loop().now()};
  pick.asker = exchange;
  if (!exchange.attempts.empty()) pick.tried = &exchange.attempts;
  pick.is_only_untried = among == Candidates::untried || exchange.destination.is_only_untried;
  if (settings_.slow_start.window > Duration::zero()) pick.slow_start = &settings_.slow_start;
  if (is_hash(settings_.balance.value.policy)) {
    const auto key = settings_.balance.value.key.hashed(exchange);
    pick.key = key.empty() ? pick.random.next() : hash(key);  // without a key anywhere will do
  }
  return pick;
}

std::optional<Result<EndpointLease>> Upstream::take(Exchange& exchange, Candidates among,
                                                    const EndpointState* promised) const {
  auto keep = is_dynamic_ ? current(exchange.worker.index) : nullptr;
  const EndpointSet& set = keep ? *keep : *set_;
  Pick pick = pick_for(exchange, among);
  pick.promised = promised;
  auto entry = ask(gate_.get(), pick);
  if (!entry) return std::unexpected(entry.error());
  pick.is_probe = entry->is_probe();
  for (;;) {
    const auto choice = set.choose(pick);
    if (!choice.endpoint) entry->withdraw();
    if (choice.is_full) return std::nullopt;
    if (!choice.endpoint) return std::unexpected(refusal_of(set, pick, exchange.arena()));
    auto permit = ask(choice.endpoint->gate.get(), pick);
    if (!permit) continue;
    if (!occupy(*choice.endpoint, pick.own(*choice.endpoint))) {  // another worker was quicker
      permit->withdraw();
      continue;
    }
    auto& state = *choice.endpoint->state;
    auto probe = state.backoff.claim(pick.now);
    if (!probe) {
      permit->withdraw();
      state_->queue.vacate(choice.endpoint->state);
      continue;
    }
    state.requests.fetch_add(1, std::memory_order_relaxed);
    // The failures of an endpoint that is known to be down say nothing more about the upstream.
    if (state.health.load(std::memory_order_relaxed) > Health::degraded) entry->withdraw();
    return EndpointLease(*choice.endpoint, *state_, std::move(keep), {std::move(*entry), std::move(*permit)},
                         std::move(*probe));
  }
}

Duration Upstream::refuses_for(Time now) const {
  if (gate_ && !gate_->would_admit(now, Needs::endpoint)) return gate_->refuses_for(now);
  Duration shortest = Duration::max();
  const auto set = endpoints();
  for (const Endpoint& endpoint : set->all()) {
    if (endpoint.gate && set->reaches(endpoint)) shortest = std::min(shortest, endpoint.gate->refuses_for(now));
  }
  return shortest == Duration::max() ? Duration{} : shortest;
}

std::optional<Result<EndpointLease>> Upstream::try_acquire(Exchange& exchange, Candidates among) const {
  if (state_->queue.is_awaited() && state_->queue.is_awaited_for(this)) return std::nullopt;
  return take(exchange, among);
}

/// When a pause or an open circuit of one of the endpoints ends, of which nobody tells.
Time Upstream::next_change(Time now, const Asker& asker) const {
  constexpr Duration kLeast = std::chrono::milliseconds(1);
  Time next = Time::max();
  const auto set = endpoints();
  for (const Endpoint& endpoint : set->all()) {
    const auto& backoff = endpoint.state->backoff;
    if (backoff.is_paused(now)) next = std::min(next, backoff.until());
    if (!endpoint.is_open_to_requests(now, asker))
      next = std::min(next, now + std::max(kLeast, endpoint.gate->refuses_for(now)));
  }
  return next;
}

Task<Result<EndpointLease>> Upstream::acquire(Exchange& exchange, Candidates among) const {
  if (auto lease = try_acquire(exchange, among)) co_return std::move(*lease);
  // A second attempt that nobody needs waits for no place.
  const bool is_extra = exchange.destination.is_only_untried;
  if (is_extra) co_return std::unexpected(full("no other endpoint has a place"));
  const auto client = network_of(exchange.client.ip, exchange.arena());
  const auto share = state_->queue_shares.enter(client, settings_.queue.size);
  auto& queue = state_->queue;
  const Attempts* const but = among == Candidates::untried ? &exchange.attempts : nullptr;
  auto place = share ? queue.enter(exchange.loop(), settings_.queue.size, {this, but}) : std::nullopt;
  if (!place && settings_.queue.size == 0)
    co_return std::unexpected(full("each endpoint has all the requests that it may have"));
  if (!place) co_return std::unexpected(!share && queue.size() < settings_.queue.size ? kShareFull : kQueueFull);
  const Time deadline = std::min(exchange.attempt_deadline(), exchange.loop().now() + settings_.queue.timeout);
  for (;;) {
    const Time change = next_change(exchange.loop().now(), exchange);
    if (co_await place->turn(std::min(deadline, change))) {
      auto lease = take(exchange, among, place->promised());
      if (!lease) {
        place->missed();
        continue;
      }
      if (*lease) place->took((*lease)->state());
      co_return std::move(*lease);
    }
    if (exchange.loop().now() >= deadline) break;
    queue.call_all();
  }
  co_return std::unexpected(kWaitedTooLong);
}

}  // namespace weir::upstream
