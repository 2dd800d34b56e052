#include "runtime/store_metrics.h"

namespace weir::runtime {

StoreMetrics::StoreMetrics(FilterMetrics& metrics, const std::string& family)
    : breaches_(metrics.counter(family + "_protocol_errors",
                                "Connections that were closed since a store's bytes were no answer.", {})) {
  size_t index = 0;
  for (const auto* outcome : {"ok", "failed", "spared", "full"}) {
    commands_[index++] = &metrics.counter(
        family + "_commands", "Calls to the store; spared: not made, since it is down; full: since too many are.",
        {{"outcome", outcome}});
  }
  for (size_t i = 0; i < errors_.size(); ++i) {
    const auto reason = std::string(name_of(static_cast<store::Fault>(i)));
    errors_[i] = &metrics.counter(family + "_errors", "Calls to the store that failed.", {{"reason", reason}});
  }
  for (size_t i = 0; i < states_.size(); ++i) {
    const auto state = std::string(name_of(static_cast<store::StoreState>(i)));
    states_[i] = &metrics.gauge(family + "_state", "1 for the state that the store is in.", {{"state", state}});
  }
}

void StoreMetrics::show(store::StoreState state) const {
  for (size_t i = 0; i < states_.size(); ++i) states_[i]->set(i == static_cast<size_t>(state));
}

EmbeddedStoreMetrics::EmbeddedStoreMetrics(FilterMetrics& metrics)
    : quotas_(metrics.gauge("store_quotas", "Quotas of limits that this process' own store remembers.", {})),
      bytes_(metrics.gauge("store_quotas_bytes", "Memory that they take, of store.max_size.", {})),
      forgotten_(metrics.counter("store_quotas_forgotten",
                                 "Quotas that began anew before their time, for want of room in store.max_size.", {})) {
}

void EmbeddedStoreMetrics::show(const store::MemoryStore::Usage& usage) const {
  quotas_.set(static_cast<int64_t>(usage.quotas));
  bytes_.set(static_cast<int64_t>(usage.bytes));
  forgotten_.set(static_cast<int64_t>(usage.forgotten));
}

}  // namespace weir::runtime
