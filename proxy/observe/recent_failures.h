#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "exchange/exchange.h"

namespace weir::observe {

/// The failures of one kind (upstream, error, refuser) since the start: how many, and the last one.
struct RecentFailure {
  ErrorCode code{};
  std::string upstream;  // "" = none was concerned
  std::string by;        // "circuit api"
  uint64_t count = 0;
  std::chrono::system_clock::time_point at;
  std::string detail;
  std::string endpoint;
  std::string route;
  std::string request_id;
  std::string method;
  std::string host;
  std::string path;       // its first kLongestPath bytes, without the query
  uint64_t replaced = 0;  // of `count`, answered by a fallback or from the cache
};

/// What `weir status --why` shows. One worker writes, any thread reads; a request that succeeds does not touch it.
class RecentFailures {
 public:
  static constexpr size_t kLongestPath = 200;
  static constexpr size_t kMost = 256;  // kinds; a new one takes the place of the one that was longest ago

  /// Of an exchange that is over; also when a filter answered in place of the failure.
  void note(const Exchange& exchange, std::chrono::system_clock::time_point now);
  /// Adds up `into`, those of one kind in one entry.
  void add_to(std::vector<RecentFailure>& into) const;

 private:
  RecentFailure& entry(const Failure& failure);

  mutable std::mutex mutex_;
  std::vector<RecentFailure> entries_;
};

}  // namespace weir::observe
