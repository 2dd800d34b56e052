#include "config/types.h"

#include <cmath>

namespace weir::config {

std::optional<double> Scalar<double>::parse(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

Value Scalar<double>::value(double value) {
  char digits[32];
  return Value::number(std::string(digits, std::to_chars(digits, digits + sizeof digits, value).ptr));
}

}  // namespace weir::config
