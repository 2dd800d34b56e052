#pragma once

#include <array>
#include <string>

#include "base/units.h"
#include "exchange/filter_metrics.h"

namespace weir::plugins {

/// What became of a request that met the cache, in the words of metrics and logs.
enum class CacheOutcome : uint8_t { hit, stale, miss, collapsed, revalidated, bypass, refused };

constexpr std::string_view name_of(CacheOutcome outcome) {
  constexpr std::array<std::string_view, 7> kNames = {"hit",         "stale",  "miss",   "collapsed",
                                                      "revalidated", "bypass", "refused"};
  return kNames[static_cast<size_t>(outcome)];
}

/// One counter each, and how old the stored responses were that answered. Any thread.
class CacheOutcomes {
 public:
  CacheOutcomes(FilterMetrics& metrics, const std::string& cache, const std::string& route) {
    for (size_t i = 0; i < counts_.size(); ++i) {
      counts_[i] = &metrics.counter(
          "cache_requests", "Requests that met a cache, by what it did",
          {{"cache", cache}, {"route", route}, {"status", std::string(name_of(static_cast<CacheOutcome>(i)))}});
    }
    ages_ = &metrics.histogram("cache_hit_age_seconds", "Age of stored responses that answered, stale ones too",
                               {{"cache", cache}, {"route", route}}, kAges);
  }
  void served(Duration age) const { ages_->observe(std::chrono::floor<std::chrono::seconds>(age).count()); }
  void count(CacheOutcome outcome) const { counts_[static_cast<size_t>(outcome)]->add(); }

 private:
  static constexpr auto kAges = std::to_array<int64_t>(  // from a second to a week
      {1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 12 * 3600, 24 * 3600, 3 * 24 * 3600, 7 * 24 * 3600});

  std::array<SharedCount*, 7> counts_;
  SharedHistogram* ages_;
};

}  // namespace weir::plugins
