#pragma once

#include <memory>

#include "downstream/serving.h"
#include "observe/access_log.h"
#include "observe/cells.h"
#include "runtime/snapshot.h"
#include "store/redis_store.h"

namespace weir::runtime {

/// One snapshot on one worker: what its gateways serve, and where its exchanges are counted. Deletes itself when
/// neither the worker nor an exchange refers to it any more. The worker's thread.
class ServedSnapshot final : public downstream::Serving, downstream::ExchangeObserver {
 public:
  /// All outlive it; `teardown` destroys the snapshot when this was its last owner.
  ServedSnapshot(std::shared_ptr<const Snapshot> snapshot, observe::WorkerMetrics& metrics,
                 observe::WorkerAccessLog& log, Teardown* teardown);
  ~ServedSnapshot();

  const Snapshot& snapshot() const { return *snapshot_; }
  /// Null: the embedded one. The one of `before` when that is the same Redis.
  void use_store(Loop& loop, const ServedSnapshot* before);
  store::RedisStore* store() const { return store_.get(); }
  observe::ListenerCells& listener(size_t index) { return cells_.listener(index); }

 private:
  void exchange_started() override { metrics_.in_flight.add(1); }
  void exchange_finished(Exchange& exchange) override;

  std::shared_ptr<const Snapshot> snapshot_;
  observe::WorkerMetrics& metrics_;
  observe::WorkerAccessLog& log_;
  Teardown* teardown_;
  observe::SnapshotCells cells_;
  std::shared_ptr<store::RedisStore>
      store_;  // shared with the next: calls of exchanges that began here may be under way
};

}  // namespace weir::runtime
