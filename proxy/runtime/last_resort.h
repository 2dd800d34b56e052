#pragma once

#include <initializer_list>

#include "base/units.h"

namespace weir::runtime {

/// Ends the process with 128 + the signal's number when it still runs 2 s after the second of the given signals,
/// whatever its threads wait for. Put behind the handlers that are installed already, which are called as before.
class LastResort {
 public:
  explicit LastResort(std::initializer_list<int> numbers);
  LastResort(const LastResort&) = delete;
  LastResort& operator=(const LastResort&) = delete;

  /// The same that long after the first signal, for a worker that hangs. Whole seconds, rounded up.
  static void end_after(Duration time);
  /// The end has come in time.
  static void call_off();
};

}  // namespace weir::runtime
