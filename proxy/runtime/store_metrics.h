#pragma once

#include <array>

#include "exchange/filter_metrics.h"
#include "store/memory_store.h"
#include "store/redis_shared.h"

namespace weir::runtime {

/// What calls to the store came to, and how it is, as metrics. Any thread.
class StoreMetrics final : public store::StoreObserver {
 public:
  explicit StoreMetrics(FilterMetrics& metrics);

  void called(Outcome outcome) override { commands_[static_cast<size_t>(outcome)]->add(); }
  void failed(store::Fault fault) override { errors_[static_cast<size_t>(fault)]->add(); }
  void protocol_broken() override { breaches_.add(); }
  /// Before the metrics are read.
  void show(store::StoreState state, uint32_t instances, const store::MemoryStore::Usage& usage) const;

 private:
  std::array<SharedCount*, 3> commands_;
  std::array<SharedCount*, store::kFaults> errors_;
  std::array<SharedCount*, 3> states_;
  SharedCount& breaches_;
  SharedCount& instances_;
  SharedCount& quotas_;
  SharedCount& bytes_;
  SharedCount& forgotten_;
};

}  // namespace weir::runtime
