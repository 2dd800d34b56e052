#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weir::admin {

using Counts = std::vector<std::pair<std::string, int64_t>>;

/// What GET /status shows: the process and what is none of one upstream's. Times as RFC 3339.
struct Status {
  struct Reload {
    bool ok = true;
    std::string at;
    std::string text;  // the problems, as `weir check` prints them
  };
  struct Loops {
    double most_ms = 0;  // 99 of 100 turns are shorter; negative: longer than 30 s
    double longest_ms = 0;
    uint64_t stuck = 0;
  };
  struct Store {
    std::string kind;                  // "embedded", "redis"
    std::vector<std::string> servers;  // without secrets
    std::string state;                 // "up", "degraded", "down"
    std::string pages;                 // state of the connections for the pages of caches; "" = there are none
    std::string on_failure;
    uint32_t instances = 1;
  };
  struct Listener {
    std::string name;
    std::string bind;
    std::string kind;  // "http", "https"
    int64_t open = 0;
    uint64_t accepted = 0;
  };
  struct Certificate {
    std::string listener;
    std::string file;
    std::string expires;
    int64_t days = 0;  // until then
  };
  /// A limit, or a cache.
  struct Counted {
    std::string kind;   // "rate_limit"
    std::string name;   // "login"
    std::string route;  // "" = of all routes that use it
    Counts counts;
  };
  struct Queue {
    std::string upstream;
    uint32_t waiting = 0;
    uint32_t size = 0;
    double timeout_ms = 0;
  };
  struct Failure {
    std::string error;
    std::string upstream, by, detail, endpoint, route, request_id, method, host, path;
    uint64_t count = 0;
    uint64_t replaced = 0;  // of these, answered by a fallback or from the cache
    std::string at;
    double seconds_ago = 0;
  };

  std::string version;
  std::string commit;  // may be empty
  int64_t pid = 0;
  std::string file;
  std::string started;
  double uptime_seconds = 0;
  std::string readiness;  // "ready", "degraded", "not_ready"
  std::string why;
  std::optional<Reload> last_reload;
  size_t workers = 0;
  int64_t requests_in_flight = 0;
  Loops loops;
  Store store;
  std::vector<Listener> listeners;
  std::vector<Certificate> certificates;
  std::vector<Counted> limiters;
  std::vector<Counted> caches;
  std::vector<Queue> queues;
  std::vector<Failure> failures;
};

std::string status_json(const Status& status);

}  // namespace weir::admin
