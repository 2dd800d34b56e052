#pragma once

#include <algorithm>
#include <cstddef>

namespace weir {

/// When a list is to be searched for what has gone: not at each addition, which would cost thousands of additions the
/// square, but when the list has doubled since the last time.
class Sweep {
 public:
  bool is_due(size_t size) const { return size >= at_; }
  /// So many are left.
  void done(size_t size) { at_ = std::max(kLeast, 2 * size); }

 private:
  static constexpr size_t kLeast = 16;
  size_t at_ = kLeast;
};

}  // namespace weir
