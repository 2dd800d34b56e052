#include "exchange/text_template.h"

#include <utility>

#include "base/arena_text.h"

namespace weir {

std::expected<TextTemplate, std::string> TextTemplate::parse(std::string_view text) {
  TextTemplate made;
  std::string literal;
  std::string problem = "a '{' is never closed";
  const bool is_good = for_each_placeholder(
      text, [&](char c) { literal += c; },
      [&](std::string_view name) {
        auto key = KeyExpression::parse(name);
        if (!key) {
          problem = std::move(key.error());
          return false;
        }
        made.pieces_.push_back({std::exchange(literal, {}), std::move(*key)});
        return true;
      });
  if (!is_good) return std::unexpected(std::move(problem));
  if (!literal.empty()) made.pieces_.push_back({std::move(literal), {}});
  return made;
}

std::string_view TextTemplate::render(Exchange& exchange) const {
  if (pieces_.size() == 1 && pieces_[0].key.empty()) return pieces_[0].text;
  ArenaText text(exchange.arena());
  for (const auto& piece : pieces_) {
    const auto value = piece.key.empty() ? std::string_view() : piece.key.evaluate(exchange);
    text << piece.text << value;
  }
  return text.text();
}

}  // namespace weir
