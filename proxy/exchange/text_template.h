#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "exchange/key_expression.h"

namespace weir {

/// Text with key expressions in braces: "for {client.ip}, {header.x-user}"; `{{` and `}}` are braces. Immutable
/// after parsing.
class TextTemplate {
 public:
  TextTemplate() = default;
  /// What is wrong with the text otherwise.
  static std::expected<TextTemplate, std::string> parse(std::string_view text);

  /// The same text for every request.
  bool is_constant() const { return pieces_.size() <= 1; }
  /// A view of this template or made in the exchange's arena. A key without a value leaves nothing.
  std::string_view render(Exchange& exchange) const;

 private:
  struct Piece {
    std::string text;
    KeyExpression key;  // behind the text; empty in the last piece
  };
  std::vector<Piece> pieces_;
};

/// Splits a template: calls `literal(char)` for each byte of text and `key(name)` for each pair of braces until
/// that returns false. False when a brace is never closed, or when `key` said so.
template <class Literal, class Key>
bool for_each_placeholder(std::string_view text, Literal literal, Key key) {
  while (!text.empty()) {
    size_t used = 1;
    if (text.starts_with("{{") || text.starts_with("}}")) {
      literal(text[0]);
      used = 2;
    } else if (text[0] != '{') {
      literal(text[0]);
    } else {
      const auto end = text.find('}');
      if (end == std::string_view::npos || !key(text.substr(1, end - 1))) return false;
      used = end + 1;
    }
    text.remove_prefix(used);
  }
  return true;
}

}  // namespace weir
