#include "http/field_gate.h"

namespace weir::http {

Result<bool> FieldGate::admit(std::string_view name) {
  if (++fields_ > limits_->fields) {
    const auto code = side_ == Side::client ? ErrorCode::head_too_large : ErrorCode::protocol_error;
    return fail(code, side_, "too many fields");
  }
  using enum HeadLimits::Underscores;
  if (side_ != Side::client || limits_->underscores == keep || !name.contains('_')) return true;
  if (limits_->underscores == drop) return false;
  return fail(ErrorCode::bad_request, side_, "an underscore in a field name");
}

}  // namespace weir::http
