#pragma once

#include "http/codec.h"

namespace weir::http {

/// Lets the field lines of one head in: counts them, and keeps the rule for underscores in the names that clients
/// send. Either version's.
class FieldGate {
 public:
  /// `limits` outlives the gate; `side` is the peer that sends the head.
  FieldGate(const HeadLimits& limits, Side side) : limits_(&limits), side_(side) {}

  /// False: the field is dropped. An Error is that of the head: bad_request, head_too_large; protocol_error of the
  /// upstream.
  Result<bool> admit(std::string_view name);

 private:
  const HeadLimits* limits_;
  uint32_t fields_ = 0;
  Side side_;
};

}  // namespace weir::http
