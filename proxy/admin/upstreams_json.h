#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::admin {

/// An endpoint's last health check.
struct CheckStatus {
  bool has_passed = false;
  std::string what;  // "status 503"
  std::string at;    // RFC 3339
  double took_ms = 0;
};

/// One endpoint as /upstreams shows it.
struct EndpointStatus {
  std::string address;
  uint32_t weight = 1;
  bool is_backup = false;
  std::string health;  // "up", "down", "ejected", "draining" …
  std::string by;      // who said so: "check", "outlier", "backend", "admin"; "" = nobody
  std::string why;     // "3 checks in a row failed: status 503"
  std::string since;   // RFC 3339; "" = from the start
  std::optional<CheckStatus> check;
  uint32_t connect_failures = 0;  // in a row: no connection, or one that ended without a byte
  std::string paused_until;       // RFC 3339: no requests until then, for want of connections; "" = not paused
  int64_t active = 0;             // attempts under way
  int64_t connections = 0;        // open, idle ones too
  uint64_t requests = 0;          // attempts made
  uint64_t failures = 0;          // of them
  double latency_ms = 0;          // moving average of the time to a response head; 0 = none yet
};

struct UpstreamStatus {
  std::string name;
  std::string balance;  // "round_robin"
  std::vector<EndpointStatus> endpoints;
  bool is_panic = false;  // too few endpoints are healthy, so that all are used
};

/// {"upstreams":[{"name","balance","panic","endpoints":[{"address","weight","backup","health","by","why","since",
/// "check":{"passed","what","at","took_ms"},"connect_failures","paused_until","active","connections","requests","failures","latency_ms"}]}]};
/// what isn't known is left out.
std::string upstreams_json(const std::vector<UpstreamStatus>& upstreams);

}  // namespace weir::admin
