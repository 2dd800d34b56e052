#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/units.h"
#include "config/reader.h"
#include "upstream/health.h"

namespace weir::upstream {

/// The statuses that a check takes for good.
class StatusSet {
 public:
  /// "200-399" or "204"; false when it is neither.
  bool add(const std::string& text);
  bool has(uint16_t status) const;

 private:
  std::vector<std::pair<uint16_t, uint16_t>> ranges_;
};

/// What becomes of requests that wait for an endpoint which goes down: they go on, or end.
enum class OnDown : uint8_t { keep, cut };

/// The block `health_check` of an upstream.
struct HealthCheckSettings {
  enum class Type : uint8_t { http, tcp, grpc };
  Type type = Type::http;
  std::string path = "/";
  std::string method = "GET";
  std::string host;  // "" = as requests have it, or the endpoint's own
  std::vector<std::pair<std::string, std::string>> headers;
  std::vector<std::string> expect{"200-399"};
  StatusSet statuses;   // of `expect`
  std::string body;     // must be in the first 64 KiB
  std::string service;  // of gRPC; "" = the server as a whole
  Duration interval = std::chrono::seconds(2);
  std::optional<Duration> fast_interval;  // while the state is changing; left out: a quarter of `interval`
  Duration timeout = std::chrono::seconds(1);
  uint32_t rise = 2;
  uint32_t fall = 3;
  Ratio jitter{0.1};
  Health initial = Health::up;  // or down, or checking
  OnDown on_down = OnDown::keep;
  uint16_t port = 0;  // 0 = the endpoint's

  Duration pause(bool is_changing) const { return is_changing ? fast_interval.value_or(interval / 4) : interval; }
  /// Failures that are believed of an endpoint not known yet.
  uint32_t first_fall() const { return initial == Health::up ? fall : 1; }
};

/// The block `outlier_detection`: endpoints are put aside for what they answer. Names and defaults are Envoy's.
struct OutlierSettings {
  struct SuccessRate {
    uint32_t minimum_hosts = 5;
    uint32_t request_volume = 100;
    double stdev_factor = 1.9;
  };
  struct FailurePercentage {
    Ratio threshold{0.85};
    uint32_t minimum_hosts = 5;
    uint32_t request_volume = 50;
  };
  uint32_t consecutive_5xx = 5;              // 0 = off, as of the next two
  uint32_t consecutive_gateway_failure = 0;  // 502, 503, 504
  uint32_t consecutive_local_origin_failure = 5;
  bool split_local_origin = false;  // no answer at all counts apart, else as a gateway's failure
  Duration interval = std::chrono::seconds(10);
  Duration base_ejection_time = std::chrono::seconds(30);
  Duration max_ejection_time = std::chrono::seconds(300);
  Duration max_ejection_time_jitter{};
  Ratio max_ejection_percent{0.1};  // one at least
  std::optional<SuccessRate> success_rate = SuccessRate{};
  std::optional<FailurePercentage> failure_percentage;
  bool uneject_on_check = true;  // a check that passes ends an ejection
};

void decode(config::Reader& r, HealthCheckSettings& out);
void decode(config::Reader& r, OutlierSettings& out);
void decode(config::Reader& r, OutlierSettings::SuccessRate& out);
void decode(config::Reader& r, OutlierSettings::FailurePercentage& out);

}  // namespace weir::upstream
