#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "async/loop.h"

namespace weir::runtime {

/// Destroys on the supervisor's thread what takes long: a snapshot of thousands of routes, whose last exchange has
/// ended on a worker. Any thread but where told otherwise.
class Teardown {
 public:
  explicit Teardown(Loop& supervisor) : loop_(supervisor) {}

  void add(std::shared_ptr<const void> what) {
    {
      const std::lock_guard lock(mutex_);
      waiting_.push_back(std::move(what));
    }
    loop_.post([this] { empty(); });
  }
  /// The supervisor's thread.
  void empty() {
    std::vector<std::shared_ptr<const void>> gone;
    {
      const std::lock_guard lock(mutex_);
      gone.swap(waiting_);
    }
    gone.clear();
  }

 private:
  Loop& loop_;
  std::mutex mutex_;
  std::vector<std::shared_ptr<const void>> waiting_;
};

}  // namespace weir::runtime
