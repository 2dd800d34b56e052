#pragma once

#include <array>
#include <string>

#include "exchange/filter_metrics.h"

namespace weir::plugins {

/// What became of a request that met the cache, in the words of metrics and logs.
enum class CacheOutcome : uint8_t { hit, stale, miss, collapsed, revalidated, bypass, refused };

constexpr std::string_view name_of(CacheOutcome outcome) {
  constexpr std::array<std::string_view, 7> kNames = {"hit",         "stale",  "miss",   "collapsed",
                                                      "revalidated", "bypass", "refused"};
  return kNames[static_cast<size_t>(outcome)];
}

/// One counter each. Any thread.
class CacheOutcomes {
 public:
  CacheOutcomes(FilterMetrics& metrics, const std::string& cache, const std::string& route) {
    for (size_t i = 0; i < counts_.size(); ++i) {
      counts_[i] = &metrics.counter(
          "cache_requests", "Requests that met a cache, by what it did",
          {{"cache", cache}, {"route", route}, {"status", std::string(name_of(static_cast<CacheOutcome>(i)))}});
    }
  }
  void count(CacheOutcome outcome) const { counts_[static_cast<size_t>(outcome)]->add(); }

 private:
  std::array<SharedCount*, 7> counts_;
};

}  // namespace weir::plugins
