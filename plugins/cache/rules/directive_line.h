#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::plugins {

/// One member of Cache-Control: "no-store", "max-age=10", "private=\"a, b\"". Views of the line.
struct Directive {
  enum class Argument : uint8_t { none, given, malformed };
  std::string_view name;  // as it came; "" for what has none
  Argument form = Argument::none;
  std::string_view argument;  // a token, or what stands between the quotes; escapes are left as they came
};

/// Takes a line of Cache-Control or Pragma apart (RFC 9111 section 5.2). A mistake spoils the directive that it is in,
/// up to the next comma, and no other.
class DirectiveLine {
 public:
  explicit DirectiveLine(std::string_view line) : rest_(line) {}
  /// Nothing at the end.
  std::optional<Directive> next();

 private:
  void read_argument(Directive& directive);
  std::string_view take_token();
  std::string_view take_to_comma();

  std::string_view rest_;
};

}  // namespace weir::plugins
