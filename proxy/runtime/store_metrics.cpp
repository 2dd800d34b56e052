#include "runtime/store_metrics.h"

namespace weir::runtime {

StoreMetrics::StoreMetrics(FilterMetrics& metrics)
    : breaches_(metrics.counter("store_protocol_errors",
                                "Connections that were closed since a store's bytes were no answer.", {})),
      instances_(metrics.gauge("store_instances", "Processes that share the store, as last known.", {})),
      quotas_(metrics.gauge("store_quotas", "Quotas of limits that this process' own store remembers.", {})),
      bytes_(metrics.gauge("store_quotas_bytes", "Memory that they take, of store.max_size.", {})),
      forgotten_(metrics.counter("store_quotas_forgotten",
                                 "Quotas that began anew before their time, for want of room in store.max_size.", {})) {
  size_t index = 0;
  for (const auto* outcome : {"ok", "failed", "spared"}) {
    commands_[index++] = &metrics.counter("store_commands", "Calls to the store; spared: not made, since it is down.",
                                          {{"outcome", outcome}});
  }
  for (size_t i = 0; i < errors_.size(); ++i) {
    const auto reason = std::string(name_of(static_cast<store::Fault>(i)));
    errors_[i] = &metrics.counter("store_errors", "Calls to the store that failed.", {{"reason", reason}});
  }
  for (size_t i = 0; i < states_.size(); ++i) {
    const auto state = std::string(name_of(static_cast<store::StoreState>(i)));
    states_[i] = &metrics.gauge("store_state", "1 for the state that the store is in.", {{"state", state}});
  }
}

void StoreMetrics::show(store::StoreState state, uint32_t instances, const store::MemoryStore::Usage& usage) const {
  quotas_.set(static_cast<int64_t>(usage.quotas));
  bytes_.set(static_cast<int64_t>(usage.bytes));
  forgotten_.set(static_cast<int64_t>(usage.forgotten));
  for (size_t i = 0; i < states_.size(); ++i) states_[i]->set(i == static_cast<size_t>(state));
  instances_.set(instances);
}

}  // namespace weir::runtime
