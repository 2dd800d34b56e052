#pragma once

#include <array>
#include <string>

#include "exchange/filter_metrics.h"
#include "store/memory_store.h"
#include "store/redis_shared.h"

namespace weir::runtime {

/// What calls to the store came to, and how it is, as metrics. `family` is how their names begin. Any thread.
class StoreMetrics final : public store::StoreObserver {
 public:
  StoreMetrics(FilterMetrics& metrics, const std::string& family);

  void called(Outcome outcome) override { commands_[static_cast<size_t>(outcome)]->add(); }
  void failed(store::Fault fault) override { errors_[static_cast<size_t>(fault)]->add(); }
  void protocol_broken() override { breaches_.add(); }
  /// Before the metrics are read.
  void show(store::StoreState state) const;

 private:
  std::array<SharedCount*, 4> commands_;
  std::array<SharedCount*, store::kFaults> errors_;
  std::array<SharedCount*, 3> states_;
  SharedCount& breaches_;
};

/// Of this process' own store: the quotas of limits that it remembers.
class EmbeddedStoreMetrics {
 public:
  explicit EmbeddedStoreMetrics(FilterMetrics& metrics);
  /// Before the metrics are read.
  void show(const store::MemoryStore::Usage& usage) const;

 private:
  SharedCount& quotas_;
  SharedCount& bytes_;
  SharedCount& forgotten_;
};

}  // namespace weir::runtime
