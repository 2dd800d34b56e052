#pragma once

#include <initializer_list>

namespace weir::runtime {

/// Ends the process with 128 + the signal's number when it still runs 2 s after the second of the given signals,
/// whatever its threads wait for. Put behind the handlers that are installed already, which are called as before.
class LastResort {
 public:
  explicit LastResort(std::initializer_list<int> numbers);
  LastResort(const LastResort&) = delete;
  LastResort& operator=(const LastResort&) = delete;
};

}  // namespace weir::runtime
