#pragma once

#include <cstdint>
#include <string_view>

#include "base/units.h"

namespace weir::store {

/// Who wants to do something once, and on which terms.
struct ClaimTerms {
  std::string_view owner;        // of this try alone: whoever shows another can't renew, complete or release
  std::string_view fingerprint;  // of what is to be done
  Duration lease{};              // how long it may take before its outcome counts as unknown; `renew` prolongs it
  Duration keep{};               // how long an unfinished claim is remembered, lease included
  enum class Lapsed : uint8_t { tell, take_over } lapsed = Lapsed::tell;
};

struct Claim {
  enum class State : uint8_t {
    mine,      // do it
    running,   // somebody is at it; `left` of the lease
    lapsed,    // somebody was, and never told how it ended
    finished,  // it was done: `result`
    conflict,  // the key stands for something else: another fingerprint
  };
  State state = State::mine;
  std::string_view result;
  Duration left{};
};

}  // namespace weir::store
