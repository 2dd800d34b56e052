#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <vector>

#include "async/loop.h"

namespace weir {

/// Calls `on_signal` on this loop for each of the given signals, until destroyed.
class Signals {
 public:
  Signals(Loop& loop, std::initializer_list<int> numbers, std::function<void(int)> on_signal);
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  ~Signals();

 private:
  Loop& loop_;
  std::function<void(int)> on_signal_;
  std::vector<uv_signal_t*> handles_;
};

}  // namespace weir
