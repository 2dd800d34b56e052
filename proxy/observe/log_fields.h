#pragma once

#include <string_view>

#include "base/line.h"
#include "exchange/exchange.h"

namespace weir::observe {

/// What is being logged, and when it began.
struct LogEntry {
  const Exchange& exchange;
  std::string_view timestamp;
};

/// A placeholder of a log template.
struct LogField {
  std::string_view name;
  void (*append)(Line& line, const LogEntry& entry);
};
/// Null when there is no such field.
const LogField* find_log_field(std::string_view name);

/// 499 for a client that went away before it was sent anything.
inline uint16_t logged_status(const Exchange& exchange) {
  return exchange.record.status ? exchange.record.status : 499;
}

/// What the client was told, or what a filter answered in place of; null when neither.
const Failure* told_failure(const Exchange& exchange);

void append_json(Line& line, const LogEntry& entry);
void append_combined(Line& line, const LogEntry& entry);

}  // namespace weir::observe
