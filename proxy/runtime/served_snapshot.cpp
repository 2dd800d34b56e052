#include "runtime/served_snapshot.h"

namespace weir::runtime {

ServedSnapshot::ServedSnapshot(std::shared_ptr<const Snapshot> snapshot, observe::WorkerMetrics& metrics,
                               observe::WorkerAccessLog& log, Teardown* teardown)
    : snapshot_(std::move(snapshot)),
      metrics_(metrics),
      log_(log),
      teardown_(teardown),
      cells_(metrics.resolve(snapshot_->cells())) {
  policy = &snapshot_->configuration().policy;
  routes = &snapshot_->router();
  observer = this;
  release = [](KeptSnapshot& snapshot) { delete static_cast<ServedSnapshot*>(&snapshot); };
  detached_over = [](KeptSnapshot& snapshot, const Exchange& exchange) {
    static_cast<ServedSnapshot&>(snapshot).cells_.observe_attempts(exchange.attempts);
  };
}

ServedSnapshot::~ServedSnapshot() {
  if (teardown_) teardown_->add(std::move(snapshot_));
}

void ServedSnapshot::use_store(Loop& loop, const ServedSnapshot* before) {
  const auto& redis = snapshot_->redis();
  if (!redis) return;
  if (before && before->snapshot().redis() == redis) store_ = before->store_;
  else store_ = std::make_shared<store::RedisStore>(loop, redis);
}

void ServedSnapshot::exchange_finished(Exchange& exchange) {
  metrics_.in_flight.add(-1);
  cells_.observe(exchange);
  if (exchange.failure || exchange.cause) metrics_.recent_failures.note(exchange, exchange.loop().clock().wall());
  log_.write(exchange);
}

}  // namespace weir::runtime
