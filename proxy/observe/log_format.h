#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "base/line.h"
#include "base/wall_clock_text.h"
#include "exchange/exchange.h"
#include "exchange/key_expression.h"
#include "observe/log_fields.h"

namespace weir::observe {

/// How a line reads: `json`, `combined`, or a template of text and `{placeholders}`, which are the names of
/// log_fields.h and key expressions; `{{` and `}}` are braces. Immutable once parsed.
class LogFormat {
 public:
  /// What is wrong with the text otherwise.
  static std::expected<LogFormat, std::string> parse(std::string_view text);

  /// Appends one line with its end. What came from outside is escaped, so that it never makes a second line.
  void append(Line& line, Exchange& exchange, std::string_view timestamp) const;
  /// How `append` wants its timestamp.
  std::string_view timestamp(WallClockText& wall, WallClockText::Instant when) const {
    return kind_ == Kind::combined ? wall.common(when) : wall.rfc3339(when);
  }

 private:
  enum class Kind : uint8_t { json, combined, custom };
  struct Piece {
    std::string text;
    const LogField* field = nullptr;
    KeyExpression key;
  };
  static std::expected<Piece, std::string> placeholder(std::string_view name);
  void append_custom(Line& line, Exchange& exchange, std::string_view timestamp) const;

  Kind kind_ = Kind::json;
  std::vector<Piece> pieces_;
};

}  // namespace weir::observe
