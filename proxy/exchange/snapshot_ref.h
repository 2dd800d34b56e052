#pragma once

#include <cstdint>
#include <utility>

namespace weir {

class Exchange;

/// The snapshot that exchanges began with, as one worker serves it: kept as long as anybody refers to it. Counted
/// without atomics; one thread.
struct KeptSnapshot {
  uint32_t references = 0;
  void (*release)(KeptSnapshot&) = nullptr;                         // the last reference has gone
  void (*detached_over)(KeptSnapshot&, const Exchange&) = nullptr;  // one without a client is about to go; may be null
};

class SnapshotRef {
 public:
  SnapshotRef() = default;
  explicit SnapshotRef(KeptSnapshot* snapshot) : snapshot_(snapshot) {
    if (snapshot_) ++snapshot_->references;
  }
  SnapshotRef(SnapshotRef&& other) noexcept : snapshot_(std::exchange(other.snapshot_, nullptr)) {}
  SnapshotRef(const SnapshotRef& other) : SnapshotRef(other.snapshot_) {}
  SnapshotRef& operator=(SnapshotRef other) noexcept {
    std::swap(snapshot_, other.snapshot_);
    return *this;
  }
  ~SnapshotRef() {
    if (snapshot_ && --snapshot_->references == 0) snapshot_->release(*snapshot_);
  }
  KeptSnapshot* get() const { return snapshot_; }

 private:
  KeptSnapshot* snapshot_ = nullptr;
};

}  // namespace weir
