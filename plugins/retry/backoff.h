#pragma once

#include <random>

#include "plugins/retry/settings.h"

namespace weir::plugins {

/// How long to wait before the next try: all of the span is random ("full jitter"), so that clients that failed
/// together don't come again together. A slot of each worker.
class Backoff {
 public:
  using Settings = BackoffSettings;
  static bool compatible(const Settings& old, const Settings& now) { return old == now; }
  explicit Backoff(const Settings& settings) : settings_(settings), random_(std::random_device{}()) {}

  /// Before try `number` + 1, counted from 1: 0 … (2^number - 1) · base, at most `max`.
  Duration after(uint32_t number);

 private:
  Settings settings_;
  std::minstd_rand random_;
};

}  // namespace weir::plugins
