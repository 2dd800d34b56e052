#pragma once

#include <cstdint>
#include <string>
#include <utility>

namespace weir::config {

/// Where something was written. `line` and `column` count from 1, column and length in bytes; line 0 = nowhere.
struct Location {
  uint32_t file = 0;  // as Problems numbers its sources
  uint32_t line = 0;
  uint32_t column = 0;
  uint32_t length = 1;
  std::string path;  // routes[0].filters[1].rate_limit.rate
};

/// A value that remembers where it came from, for whoever finds out later that it is wrong.
/// A default's Location is that of the block that left it out.
template <class T>
struct Located {
  T value{};
  Location at{};

  const T& operator*() const { return value; }
  const T* operator->() const { return &value; }
};

/// One entry of a block whose keys are names (upstreams, split). `at` is the name's place.
template <class T>
struct Named {
  std::string name;
  T value{};
  Location at{};
};

/// One choice among several kinds of block, each with its own settings (a filter, a balancer). `at` is its name's
/// place.
template <class X>
struct Tagged {
  std::string name;
  X value{};
  Location at{};
};

}  // namespace weir::config
