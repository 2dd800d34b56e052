#include "observe/log_format.h"

#include <utility>

#include "base/log_writer.h"
#include "exchange/text_template.h"

namespace weir::observe {

namespace {

// So that every line fits into an empty batch, whatever a client sends: values from outside take at most
// LineLimits::values, and each placeholder less than 200 bytes besides.
constexpr size_t kMostText = 16 * 1024;
constexpr size_t kMostPieces = 257;
static_assert(LineLimits().values + kMostText + kMostPieces * 180 < LogBatch::kCapacity);

}  // namespace

std::expected<LogFormat, std::string> LogFormat::parse(std::string_view text) {
  LogFormat format;
  if (text == "json") return format;
  format.kind_ = text == "combined" ? Kind::combined : Kind::custom;
  if (format.kind_ == Kind::combined) return format;
  if (text.find('{') == std::string_view::npos) {
    return std::unexpected("'" + std::string(text) + "' is no log format");
  }
  std::string literal;
  std::string problem = "a '{' is never closed";
  const bool is_good = for_each_placeholder(
      text, [&](char c) { literal += c; },
      [&](std::string_view name) {
        auto piece = placeholder(name);
        if (!piece) {
          problem = std::move(piece.error());
          return false;
        }
        piece->text = std::exchange(literal, {});
        format.pieces_.push_back(std::move(*piece));
        return true;
      });
  if (!is_good) return std::unexpected(std::move(problem));
  if (!literal.empty()) format.pieces_.push_back({std::move(literal), nullptr, {}});
  if (text.size() > kMostText || format.pieces_.size() > kMostPieces)
    return std::unexpected("a log format has at most 16 KiB and 256 placeholders");
  return format;
}

std::expected<LogFormat::Piece, std::string> LogFormat::placeholder(std::string_view name) {
  if (const auto* field = find_log_field(name)) return Piece{{}, field, {}};
  auto key = KeyExpression::parse(name);
  if (!key) return std::unexpected("'{" + std::string(name) + "}' is neither a log field nor a key: " + key.error());
  return Piece{{}, nullptr, std::move(*key)};
}

void LogFormat::append(Line& line, Exchange& exchange, std::string_view timestamp) const {
  switch (kind_) {
    case Kind::json: append_json(line, {exchange, timestamp}); break;
    case Kind::combined: append_combined(line, {exchange, timestamp}); break;
    case Kind::custom: append_custom(line, exchange, timestamp); break;
  }
  line.add('\n');
}

void LogFormat::append_custom(Line& line, Exchange& exchange, std::string_view timestamp) const {
  for (const auto& piece : pieces_) {
    line.add(piece.text);
    if (piece.field) piece.field->append(line, {exchange, timestamp});
    if (piece.key.empty()) continue;
    const auto value = piece.key.evaluate(exchange);
    line.add_escaped(value.empty() ? "-" : value);
  }
}

}  // namespace weir::observe
