#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace weir::admin {

/// One endpoint as /upstreams shows it.
struct EndpointStatus {
  std::string address;
  uint32_t weight = 1;
  bool is_backup = false;
  std::string health;       // "up", "down", "ejected", "draining" …
  int64_t active = 0;       // attempts under way
  int64_t connections = 0;  // open, idle ones too
  uint64_t requests = 0;    // attempts made
  uint64_t failures = 0;    // of them
  double latency_ms = 0;    // moving average of the time to a response head; 0 = none yet
};

struct UpstreamStatus {
  std::string name;
  std::string balance;  // "round_robin"
  std::vector<EndpointStatus> endpoints;
};

/// {"upstreams":[{"name","balance","endpoints":[{"address","weight","backup","health","active","connections","requests",
/// "failures","latency_ms"}]}]}
std::string upstreams_json(const std::vector<UpstreamStatus>& upstreams);

}  // namespace weir::admin
