#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>

#include "exchange/filter_metrics.h"
#include "upstream/health.h"
#include "upstream/place_queue.h"

namespace weir::upstream {

struct EndpointState;

/// An endpoint's health, told to engineers.
struct HealthReport {
  Health health = Health::up;
  std::string judge;  // "" while nobody has anything against it
  std::string why;
  Time since = Time::min();  // min = it has always been so
  std::optional<CheckResult> last_check;
};

/// What everybody says of the endpoints of one upstream, over reloads: makes one health of it, and tells each change
/// in the log, the metrics and to requests that wait. Any thread. Locks; a request's way reads EndpointState::health
/// and `version` alone.
class HealthLedger {
 public:
  /// `metrics` and `queue` outlive it.
  HealthLedger(std::string upstream, FilterMetrics& metrics, PlaceQueue& queue);

  void judge(EndpointState& endpoint, Judge judge, Health health, std::string why, Time now);
  /// From the start and without a word, when an endpoint is made.
  void begin(EndpointState& endpoint, Health health, std::string why);
  HealthReport report(const EndpointState& endpoint) const;
  /// Another one after every change.
  uint64_t version() const { return version_.load(std::memory_order_acquire); }

  /// `act` on what is known of the endpoint, one thread at a time; it calls nothing else here.
  void with(EndpointState& endpoint, const std::function<void(EndpointHealth&)>& act);

  /// Too few healthy endpoints are left, or enough again: told when that is news.
  void panic(bool is_panic, uint32_t healthy, uint32_t usable);
  void count_panic_request() {
    SharedCount* count = panic_requests_.load(std::memory_order_acquire);
    (count ? *count : make_panic_requests()).add();
  }
  /// No connection can be made, or none brings an answer: the endpoint is left alone for a while. And it is reached
  /// again.
  void cannot_connect(const EndpointState& endpoint, std::string_view why);
  void can_connect(const EndpointState& endpoint);
  /// A request went on to another endpoint, since one took no connection or closed it without an answer.
  void count_failover();
  const std::string& upstream() const { return upstream_; }
  FilterMetrics& metrics() const { return metrics_; }

 private:
  SharedCount& make_panic_requests();
  void tell(const EndpointState& endpoint, Health from, Health to, const std::string& judge, const std::string& why);

  const std::string upstream_;
  FilterMetrics& metrics_;
  const FilterMetrics::Hold held_;
  PlaceQueue& queue_;
  // Made by the first panic: most upstreams never have one.
  std::atomic<SharedCount*> panic_requests_{nullptr};
  mutable std::mutex mutex_;  // of every endpoint's EndpointHealth
  std::atomic<uint64_t> version_{1};
  std::atomic<bool> is_panic_{false};
};

}  // namespace weir::upstream
