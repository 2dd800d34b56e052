#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>

#include "config/located.h"

namespace weir::config {

/// What stands in place of a secret wherever the configuration is shown.
inline constexpr std::string_view kMask = "***";

/// Does a field, parameter or setting of this name hold a secret? "authorization", "cookie", "x-api-key", "password".
bool is_secret_name(std::string_view name);

/// Hides secrets in what problems tell: in quoted source lines and in messages. Secrets are the values that the reader
/// found to be secret, and what looks like one in a text that may not even be YAML: the value behind a telling name,
/// user and password of a URL, the default of an environment variable.
class Redaction {
 public:
  /// The value at this place. `text`: the value as a message may quote it.
  void hide(const Location& at, std::string text);

  /// `message`, about the value at `at`.
  std::string message(std::string_view message, const Location& at) const;

  /// A source line as it may be shown. Column (bytes before what is wrong) and length are those in `text`.
  struct Line {
    std::string text;
    size_t column;
    size_t length;
  };
  /// `line_of(number)`: the lines of the source of `at`.
  Line line(const Location& at, const std::function<std::string_view(uint32_t number)>& line_of) const;

 private:
  struct Value {
    size_t size;  // bytes of its first line
    std::string text;
  };
  using Place = std::tuple<uint32_t, uint32_t, size_t>;  // file, line, bytes before
  using Values = std::map<Place, Value>;
  Values::const_iterator first_in(uint32_t file, uint32_t line) const { return values_.lower_bound({file, line, 0}); }
  bool has_value_in(uint32_t file, uint32_t line) const;
  bool is_below_secret(const Location& at, const std::function<std::string_view(uint32_t)>& line_of) const;

  Values values_;
  std::set<std::string, std::greater<>> texts_;  // "abcd" before "abc"
};

}  // namespace weir::config
