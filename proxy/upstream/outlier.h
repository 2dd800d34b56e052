#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <string>

#include "exchange/attempt.h"
#include "exchange/filter_metrics.h"
#include "upstream/health_config.h"
#include "upstream/random.h"

namespace weir::upstream {

struct EndpointState;
class EndpointSet;
class Upstream;

/// Puts endpoints of an upstream aside for what they answer, as Envoy's outlier detection does: too many failures in
/// a row at once, a rate that is too bad at the end of an interval. For `base_ejection_time` times the ejections in a
/// row; never more endpoints at once than `max_ejection_percent`, but one. Any thread.
class Outlier {
 public:
  /// `upstream` outlives it.
  Outlier(const Upstream& upstream, const OutlierSettings& settings);

  /// How an attempt went; `status` of an answer. No lock unless the endpoint is to go.
  void observe(EndpointState& endpoint, Outcome outcome, uint16_t status, Time now);
  /// An answer of that `status`, observed at its head, broke off.
  void broke_off(EndpointState& endpoint, Outcome outcome, uint16_t status, Time now);

  // From time to time, on one thread.
  const OutlierSettings& settings() const { return settings_; }
  /// Those whose time is over come back.
  void release_due(Time now);
  /// Compares rates, then begins to count anew.
  void end_interval(Time now);
  /// A health check has passed.
  void check_passed(EndpointState& endpoint, Time now);

 private:
  enum class Cause : uint8_t { errors, gateway_failures, local_failures, success_rate, failure_percentage };
  static constexpr size_t kCauses = 5;
  struct Sample;

  void judge(EndpointState& endpoint, Outcome outcome, uint16_t status, Time now);
  void eject(EndpointState& endpoint, Cause cause, std::string why, Time now);
  bool may_eject(EndpointState& endpoint);
  void count_ejected(const std::shared_ptr<const EndpointSet>& set);
  void release(EndpointState& endpoint, std::string why, Time now);
  void compare_success(std::vector<Sample>& samples, Time now);
  void compare_failures(std::vector<Sample>& samples, Time now);
  void forgive(EndpointState& endpoint);

  const Upstream& upstream_;
  const OutlierSettings settings_;
  Time interval_began_ = Time::min();
  std::array<SharedCount*, kCauses> ejected_;
  SharedCount& withheld_;
  std::mutex mutex_;  // one ejection at a time
  Random random_;     // under it
  // Under it, too: how many endpoints of `counted_` are ejected. Counted again from time to time, since a snapshot
  // before this one and an operator change that, too.
  std::shared_ptr<const EndpointSet> counted_;
  size_t ejected_now_ = 0;
};

}  // namespace weir::upstream
