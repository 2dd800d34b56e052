#include "plugins/cache/rules/directive_line.h"

#include <algorithm>

#include "base/text.h"
#include "http/syntax.h"

namespace weir::plugins {

namespace {

// Where the quoted string that `text` starts with ends: at its second quote. Nothing when that is missing.
std::optional<size_t> end_of_quoted(std::string_view text) {
  for (size_t at = 1; at < text.size(); ++at) {
    if (text[at] == '"') return at;
    if (text[at] == '\\') ++at;
  }
  return std::nullopt;
}

}  // namespace

std::string_view DirectiveLine::take_token() {
  const auto end = std::ranges::find_if_not(rest_, http::is_token_byte);
  const auto token = rest_.substr(0, static_cast<size_t>(end - rest_.begin()));
  rest_.remove_prefix(token.size());
  return token;
}

std::string_view DirectiveLine::take_to_comma() {
  const auto taken = rest_.substr(0, rest_.find(','));
  rest_.remove_prefix(taken.size());
  return taken;
}

void DirectiveLine::read_argument(Directive& directive) {
  directive.form = Directive::Argument::given;
  if (!rest_.starts_with('"')) {
    directive.argument = take_token();
  } else if (const auto end = end_of_quoted(rest_)) {
    directive.argument = rest_.substr(1, *end - 1);
    rest_.remove_prefix(*end + 1);
    return;
  }
  if (directive.argument.empty()) directive.form = Directive::Argument::malformed;
}

std::optional<Directive> DirectiveLine::next() {
  rest_.remove_prefix(std::min(rest_.find_first_not_of(", \t"), rest_.size()));
  if (rest_.empty()) return std::nullopt;
  Directive directive{.name = take_token()};
  if (rest_.starts_with('=')) {
    rest_.remove_prefix(1);
    read_argument(directive);
  }
  if (!trim(take_to_comma()).empty()) directive.form = Directive::Argument::malformed;
  return directive;
}

}  // namespace weir::plugins
