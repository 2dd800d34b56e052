#include "plugins/circuit_breaker/breaker.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "base/hash.h"
#include "base/log.h"
#include "plugins/circuit_breaker/peers.h"

// A word's era changes under the mutex only. Within an era the numbers of probes change without it. Probes whose
// answers wait for their clients, too, have places of their own: they keep none from those that wait for the endpoint.

namespace weir::plugins {

namespace {

constexpr Duration kSoon = std::chrono::seconds(1);  // when a probe's result may be there: nobody knows
constexpr double kJitter = 0.1;

/// Empty while all is well.
std::string why_to_open(const BreakerSettings& settings, const Window::Counts& counts) {
  if (counts.all < settings.min_requests) return {};
  const auto of = [&](uint64_t bad, Ratio ratio) {
    return static_cast<double>(bad) >= ratio.value * static_cast<double>(counts.all);
  };
  if (counts.failed > 0 && of(counts.failed, settings.failure_ratio)) {
    return fmt::format("{} of {} attempts failed in {}", counts.failed, counts.all, format(settings.window));
  }
  if (settings.slow && counts.slow > 0 && of(counts.slow, settings.slow->ratio)) {
    return fmt::format("{} of {} attempts took longer than {} in {}", counts.slow, counts.all,
                       format(settings.slow->after), format(settings.window));
  }
  return {};
}

}  // namespace

std::string_view name_of(Breaker::State state) {
  using enum Breaker::State;
  switch (state) {
    case closed:
    case forced_closed: return "closed";
    case open:
    case forced_open: return "open";
    case half_open: return "half_open";
  }
  return "closed";
}

bool is_forced(Breaker::State state) {
  return state == Breaker::State::forced_open || state == Breaker::State::forced_closed;
}

Breaker::Breaker(const Settings& settings) : settings_(settings), dice_(std::random_device{}()) {}

void Breaker::attach(const Circuit& circuit) {
  const std::lock_guard lock(mutex_);
  circuits_.push_back(&circuit);
}

void Breaker::detach(const Circuit& circuit) {
  const std::lock_guard lock(mutex_);
  std::erase(circuits_, &circuit);
}

std::shared_ptr<Window> Breaker::window_of(Duration length) {
  const std::lock_guard lock(mutex_);
  std::erase_if(windows_, [](const auto& weak) { return weak.expired(); });
  for (const auto& weak : windows_) {
    if (auto window = weak.lock(); window && window->length() == length) return window;
  }
  auto window = std::make_shared<Window>(length);
  windows_.push_back(window);
  return window;
}

Error Breaker::refuse(const Circuit& circuit) {
  circuit.rejected().add();
  return {ErrorCode::circuit_open, Side::self, "too many requests to it failed: it is left alone for a while",
          RetrySafe::yes, circuit.refuser()};
}

Result<uint64_t> Breaker::admit(const Circuit& circuit, Time now, const Asker& asker) {
  Word word = word_.load();
  for (;;) {
    switch (word.state) {
      case State::closed:
      case State::forced_closed: return word.era;
      case State::forced_open: return std::unexpected(refuse(circuit));
      case State::open: {
        if (now < until_.load()) return std::unexpected(refuse(circuit));
        change(word, {State::half_open, 0, 0, word.era + 1}, now, "its time was over");
        word = word_.load();
        break;
      }
      case State::half_open: {
        const auto needs = asker.needs();
        const auto place = room(needs).enter(word.era, circuit.settings().half_open_requests, asker.client(), now);
        if (!place) return std::unexpected(refuse(circuit));
        return ticket_of(word.era, needs, *place);
      }
    }
  }
}

bool Breaker::would_admit(const BreakerSettings& settings, Time now, const Asker& asker) const {
  const Word word = word_.load(std::memory_order_acquire);
  switch (word.state) {
    case State::closed:
    case State::forced_closed: return true;
    case State::open: return now >= until_.load();
    case State::half_open:
      return room(asker.needs()).has_place(word.era, settings.half_open_requests, asker.client(), now);
    case State::forced_open: return false;
  }
  return true;
}

Duration Breaker::refuses_for(Time now) const {
  const Time until = until_.load();
  return word_.load().state == State::open && until > now ? until - now : kSoon;
}

bool Breaker::settle(const Circuit& circuit, uint64_t ticket, Verdict verdict, Time now) {
  const Word word = word_.load();
  if (word.era != era_of(ticket)) return false;
  if (word.state == State::half_open) {
    const auto end = verdict == Verdict::neutral ? ProbeRoom::End::without_result : ProbeRoom::End::ordinary;
    room(needs_of(ticket)).leave(word.era, place_of(ticket), end);
    return settle_probe(circuit, word, verdict, now);
  }
  if (word.state != State::closed || verdict <= Verdict::sign_of_life) return false;
  Window& window = circuit.window();
  window.add(verdict, now);
  if (window.has_trouble(now)) open_if_bad(circuit, word, now);
  return verdict == Verdict::success;
}

/// Its place is free, whatever it came to.
bool Breaker::settle_probe(const Circuit& circuit, Word seen, Verdict verdict, Time now) {
  if (verdict == Verdict::failure || verdict == Verdict::slow) {
    open(circuit, seen, now, verdict == Verdict::slow ? "a probe was slow" : "a probe failed");
    return false;
  }
  if (verdict <= Verdict::neutral) return false;
  const uint32_t era = seen.era;
  while (seen.era == era) {
    Word next = seen;
    if (++next.successes >= circuit.settings().half_open_successes)
      return change(seen, {State::closed, 0, 0, era + 1}, now, fmt::format("{} probes succeeded", next.successes));
    if (word_.compare_exchange_weak(seen, next)) return verdict == Verdict::success;
  }
  return false;
}

void Breaker::spoil(const Circuit& circuit, uint64_t ticket, Time now) {
  const Word word = word_.load();
  if (word.era != era_of(ticket)) return;
  if (word.state == State::half_open) return open(circuit, word, now, "a probe's answer broke off");
  if (word.state != State::closed) return;
  circuit.window().spoil(now);
  open_if_bad(circuit, word, now);
}

void Breaker::open_if_bad(const Circuit& circuit, Word seen, Time now) {
  auto cause = why_to_open(circuit.settings(), circuit.window().counts(now));
  if (!cause.empty()) open(circuit, seen, now, std::move(cause));
}

void Breaker::open(const Circuit& circuit, Word seen, Time now, std::string cause) {
  const std::lock_guard lock(mutex_);
  if (word_.load().era != seen.era) return;
  const bool was_probing = seen.state == State::half_open;
  failed_rests_ = was_probing ? failed_rests_ + 1 : 0;
  const Duration length = rest(circuit.settings());
  until_ = now + length;
  become({State::open, 0, 0, seen.era + 1}, now, std::move(cause));
  if (Peers* const peers = circuit.peers())
    peers->tell_opened(was_probing ? Peers::After::probe : Peers::After::closed, length);
}

bool Breaker::change(Word seen, Word to, Time now, std::string cause) {
  const std::lock_guard lock(mutex_);
  if (word_.load().era != seen.era) return false;
  become(to, now, std::move(cause));
  return true;
}

void Breaker::clear_windows() {
  for (const auto& weak : windows_) {
    if (const auto window = weak.lock()) window->clear();
  }
}

void Breaker::become(Word to, Time now, std::string cause) {
  if (to.state == State::closed) clear_windows();
  const State from = word_.exchange(to).state;
  since_ = now;
  cause_ = std::move(cause);
  for (const Circuit* circuit : circuits_) circuit->refresh();
  const Circuit* const newest = circuits_.empty() ? nullptr : circuits_.back();
  if (newest) newest->count_transition(name_of(from), name_of(to.state));
  log::warn("circuit_changed", {{"circuit", newest ? newest->name() : identity()},
                                {"from", name_of(from)},
                                {"to", name_of(to.state)},
                                {"cause", cause_}});
}

/// Twice as long each time, and no two quite alike, so that a fleet doesn't come back as one.
Duration Breaker::rest(const BreakerSettings& settings) {
  const double longest = static_cast<double>(settings.max_open.count());
  const double wanted = std::ldexp(static_cast<double>(settings.open.count()), std::min(failed_rests_, 60));
  dice_ = mix(dice_);
  const double chance = static_cast<double>(dice_ >> 11) * 0x1p-53;
  return Duration(
      static_cast<int64_t>(std::min(longest, std::min(longest, wanted) * (1 - kJitter + 2 * kJitter * chance))));
}

void Breaker::force(State wanted, Time now) {
  const std::lock_guard lock(mutex_);
  const Word word = word_.load();
  const bool is_free = wanted == State::closed;
  if (word.state == wanted || (is_free && !is_forced(word.state))) return;
  const State to = is_free && word.state == State::forced_open ? State::half_open : wanted;
  become({to, 0, 0, word.era + 1}, now, is_free ? "no longer forced" : "forced by an operator");
}

void Breaker::recovered(Time now) {
  const std::lock_guard lock(mutex_);
  const State state = word_.load().state;
  if (state == State::closed) clear_windows();
  if (state == State::open) until_ = now;
}

void Breaker::doubt(Time now, std::string cause) {
  const std::lock_guard lock(mutex_);
  const Word word = word_.load();
  if (word.state != State::closed) return;
  failed_rests_ = -1;
  become({State::half_open, 0, 0, word.era + 1}, now, std::move(cause));
}

Breaker::Status Breaker::status(Time now) const {
  const std::lock_guard lock(mutex_);
  const Word word = word_.load();
  const uint32_t probes = probes_.count(word.era) + clients_probes_.count(word.era);
  Status status{word.state, since_, cause_, {}, probes, {}};
  if (!circuits_.empty()) status.counts = circuits_.back()->window().counts(now);
  if (word.state == State::open) status.refuses_for = std::max(Duration{}, until_.load() - now);
  return status;
}

}  // namespace weir::plugins
