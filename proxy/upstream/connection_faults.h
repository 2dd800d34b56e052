#pragma once

#include <array>
#include <atomic>
#include <string>

#include "exchange/filter_metrics.h"

namespace weir::upstream {

/// Why a connection was given up although no request had failed on it.
enum class ConnectionFault : uint8_t {
  unsolicited_bytes,  // more than the response, or bytes on an idle connection
  silent,             // a PING got no answer
};

/// Counts the given-up connections of one upstream, by reason. An upstream without any adds no series. Any thread.
class ConnectionFaults {
 public:
  /// `metrics` outlives it.
  ConnectionFaults(std::string upstream, FilterMetrics& metrics)
      : upstream_(std::move(upstream)), metrics_(metrics), held_(metrics.hold({{"", {{"upstream", upstream_}}}})) {}

  void count(ConnectionFault fault, const std::string& endpoint);

 private:
  const std::string upstream_;
  FilterMetrics& metrics_;
  const FilterMetrics::Hold held_;
  std::array<std::atomic<SharedCount*>, 2> counts_{};  // null before the first of its kind
};

}  // namespace weir::upstream
