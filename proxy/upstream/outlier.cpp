#include "upstream/outlier.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "upstream/upstream.h"

namespace weir::upstream {

namespace {

constexpr std::array<const char*, 5> kCauseNames{"consecutive_5xx", "consecutive_gateway_failure",
                                                 "consecutive_local_origin_failure", "success_rate",
                                                 "failure_percentage"};

/// One more in the row; true when that is enough, and the row begins anew.
bool fills(std::atomic<uint32_t>& row, uint32_t enough) {
  if (enough == 0 || row.fetch_add(1, std::memory_order_relaxed) + 1 < enough) return false;
  row.store(0, std::memory_order_relaxed);
  return true;
}

/// Read first: nearly always there is nothing to write, and the line stays shared.
void end(std::atomic<uint32_t>& row) {
  if (row.load(std::memory_order_relaxed) != 0) row.store(0, std::memory_order_relaxed);
}

/// None below nothing: an interval may have ended since it was counted.
void take_one(std::atomic<uint32_t>& count) {
  uint32_t now = count.load(std::memory_order_relaxed);
  while (now > 0 && !count.compare_exchange_weak(now, now - 1, std::memory_order_relaxed)) {
  }
}

bool is_ejected(HealthLedger& ledger, EndpointState& endpoint) {
  bool is_ejected = false;
  ledger.with(endpoint,
              [&](const EndpointHealth& known) { is_ejected = known.of(Judge::outlier).health == Health::ejected; });
  return is_ejected;
}

}  // namespace

/// What an endpoint answered in an interval.
struct Outlier::Sample {
  EndpointState* endpoint;
  uint32_t total;
  uint32_t good;
  double success() const { return static_cast<double>(good) / total; }
};

Outlier::Outlier(const Upstream& upstream, const OutlierSettings& settings)
    : upstream_(upstream),
      settings_(settings),
      withheld_(upstream.state().health.metrics().counter("outlier_ejections_withheld",
                                                          "Ejections that max_ejection_percent forbade",
                                                          {{"upstream", upstream.name()}})),
      random_(reinterpret_cast<uintptr_t>(this)) {
  for (size_t i = 0; i < kCauses; ++i) {
    ejected_[i] =
        &upstream.state().health.metrics().counter("outlier_ejections", "Endpoints put aside, by cause",
                                                   {{"upstream", upstream.name()}, {"cause", kCauseNames[i]}});
  }
}

void Outlier::observe(EndpointState& endpoint, Outcome outcome, uint16_t status, Time now) {
  if (!concerns_endpoint(outcome)) return;
  endpoint.outlier.total.fetch_add(1, std::memory_order_relaxed);
  judge(endpoint, outcome, status, now);
}

void Outlier::broke_off(EndpointState& endpoint, Outcome outcome, uint16_t status, Time now) {
  if (status >= 500) return;  // it was a failure already
  take_one(endpoint.outlier.good);
  judge(endpoint, outcome, status, now);
}

void Outlier::judge(EndpointState& endpoint, Outcome outcome, uint16_t status, Time now) {
  auto& counts = endpoint.outlier;
  const bool is_local = outcome != Outcome::answered;
  if (is_local && settings_.split_local_origin) {
    if (fills(counts.local_failures, settings_.consecutive_local_origin_failure))
      eject(endpoint, Cause::local_failures, "attempts in a row had no answer", now);
    return;
  }
  end(counts.local_failures);
  if (is_local || (status >= 502 && status <= 504)) {
    if (fills(counts.gateway_failures, settings_.consecutive_gateway_failure))
      eject(endpoint, Cause::gateway_failures, "answers in a row were a gateway's failure, or missing", now);
  } else {
    end(counts.gateway_failures);
  }
  if (is_local || status >= 500) {
    if (fills(counts.errors, settings_.consecutive_5xx))
      eject(endpoint, Cause::errors, "answers in a row were 5xx, or missing", now);
  } else {
    end(counts.errors);
    counts.good.fetch_add(1, std::memory_order_relaxed);
  }
}

void Outlier::count_ejected(const std::shared_ptr<const EndpointSet>& set) {
  auto& ledger = upstream_.state().health;
  counted_ = set;
  ejected_now_ = static_cast<size_t>(
      std::ranges::count_if(set->all(), [&](const Endpoint& e) { return is_ejected(ledger, *e.state); }));
}

bool Outlier::may_eject(EndpointState& endpoint) {
  if (is_ejected(upstream_.state().health, endpoint)) return false;
  const auto set = upstream_.endpoints();
  if (set != counted_) count_ejected(set);
  const auto most = static_cast<size_t>(settings_.max_ejection_percent.value * static_cast<double>(set->all().size()));
  if (ejected_now_ < std::max<size_t>(1, most)) return true;
  withheld_.add();
  return false;
}

void Outlier::eject(EndpointState& endpoint, Cause cause, std::string why, Time now) {
  const std::lock_guard lock(mutex_);
  if (!may_eject(endpoint)) return;
  auto& ledger = upstream_.state().health;
  const auto jitter = settings_.max_ejection_time_jitter.count();
  Duration how_long{random_.below(static_cast<uint64_t>(jitter) + 1)};
  ledger.with(endpoint, [&](EndpointHealth& known) {
    // One more in the row makes no difference once the longest is reached.
    if (settings_.base_ejection_time * known.ejections < settings_.max_ejection_time) ++known.ejections;
    how_long += std::min(settings_.base_ejection_time * known.ejections, settings_.max_ejection_time);
    known.ejected_until = now + how_long;
  });
  endpoint.outlier.forget_rows();
  ++ejected_now_;
  ejected_[static_cast<size_t>(cause)]->add();
  ledger.judge(endpoint, Judge::outlier, Health::ejected,
               fmt::format("{}: {}, for {}", kCauseNames[static_cast<size_t>(cause)], why,
                           format(std::chrono::ceil<std::chrono::milliseconds>(how_long))),
               now);
}

void Outlier::release(EndpointState& endpoint, std::string why, Time now) {
  const std::lock_guard lock(mutex_);
  endpoint.outlier.forget_rows();
  upstream_.state().health.with(endpoint, [&](EndpointHealth& known) { known.ejected_until = now; });
  if (ejected_now_ > 0 && is_ejected(upstream_.state().health, endpoint)) --ejected_now_;
  upstream_.state().health.judge(endpoint, Judge::outlier, Health::up, std::move(why), now);
}

void Outlier::release_due(Time now) {
  auto& ledger = upstream_.state().health;
  const auto set = upstream_.endpoints();
  for (const Endpoint& endpoint : set->all()) {
    bool is_due = false;
    ledger.with(*endpoint.state, [&](const EndpointHealth& known) {
      is_due = known.of(Judge::outlier).health == Health::ejected && known.ejected_until <= now;
    });
    if (is_due) release(*endpoint.state, "its ejection is over", now);
  }
  const std::lock_guard lock(mutex_);
  count_ejected(set);
}

void Outlier::check_passed(EndpointState& endpoint, Time now) {
  if (settings_.uneject_on_check && is_ejected(upstream_.state().health, endpoint))
    release(endpoint, "a check passed", now);
}

void Outlier::end_interval(Time now) {
  auto& ledger = upstream_.state().health;
  const auto set = upstream_.endpoints();
  std::vector<Sample> samples;
  for (const Endpoint& endpoint : set->all()) {
    auto& counts = endpoint.state->outlier;
    const uint32_t total = counts.total.exchange(0, std::memory_order_relaxed);
    const uint32_t good = counts.good.exchange(0, std::memory_order_relaxed);
    if (total > 0 && !is_ejected(ledger, *endpoint.state))
      samples.push_back({endpoint.state.get(), total, std::min(good, total)});  // one may have come between
  }
  if (settings_.success_rate) compare_success(samples, now);
  if (settings_.failure_percentage) compare_failures(samples, now);
  for (const Endpoint& endpoint : set->all()) forgive(*endpoint.state);
  interval_began_ = now;
}

/// One ejection, of an endpoint that took part in the whole interval, and was not ejected at its end either.
void Outlier::forgive(EndpointState& endpoint) {
  if (is_ejected(upstream_.state().health, endpoint)) return;
  upstream_.state().health.with(endpoint, [&](EndpointHealth& known) {
    if (known.ejections > 0 && known.ejected_until <= interval_began_) --known.ejections;
  });
}

void Outlier::compare_success(std::vector<Sample>& all, Time now) {
  const auto& rule = *settings_.success_rate;
  std::vector<Sample> samples;
  std::ranges::copy_if(all, std::back_inserter(samples),
                       [&](const Sample& s) { return s.total >= rule.request_volume; });
  if (samples.empty() || samples.size() < rule.minimum_hosts) return;
  const auto count = static_cast<double>(samples.size());
  double mean = 0;
  for (const Sample& sample : samples) mean += sample.success() / count;
  double variance = 0;
  for (const Sample& sample : samples) variance += std::pow(sample.success() - mean, 2) / count;
  const double least = mean - rule.stdev_factor * std::sqrt(variance);
  for (const Sample& sample : samples) {
    if (sample.success() >= least) continue;
    eject(*sample.endpoint, Cause::success_rate,
          fmt::format("{:.1f}% answered well, of all {:.1f}%", sample.success() * 100, mean * 100), now);
  }
}

void Outlier::compare_failures(std::vector<Sample>& all, Time now) {
  const auto& rule = *settings_.failure_percentage;
  const auto is_enough = [&](const Sample& sample) { return sample.total >= rule.request_volume; };
  if (std::ranges::count_if(all, is_enough) < static_cast<ptrdiff_t>(rule.minimum_hosts)) return;
  for (const Sample& sample : all) {
    if (!is_enough(sample) || 1 - sample.success() < rule.threshold.value) continue;
    eject(*sample.endpoint, Cause::failure_percentage, fmt::format("{:.1f}% failed", (1 - sample.success()) * 100),
          now);
  }
}

}  // namespace weir::upstream
