#include "observe/log_fields.h"

namespace weir::observe {

namespace {

const Attempt* decisive_attempt(const Exchange& exchange) {
  return exchange.attempts.empty() ? nullptr : &exchange.attempts.decisive();
}

/// Null before there was one.
const Failure* failure_of(const LogEntry& entry) { return told_failure(entry.exchange); }

void add_text(Line& line, std::string_view text) {
  if (text.empty()) return line.add('-');
  line.add_escaped(text);
}

void add_flags(Line& line, const Exchange& exchange) {
  if (!exchange.record.flags) return line.add('-');
  std::string_view separator;
  for_each_flag(exchange.record.flags, [&](std::string_view flag) {
    line.add(separator);
    line.add(flag);
    separator = ",";
  });
}

const LogField kFields[] = {
    {"ts", [](Line& line, const LogEntry& entry) { line.add(entry.timestamp); }},
    {"request_id", [](Line& line, const LogEntry& entry) { add_text(line, entry.exchange.id); }},
    {"client", [](Line& line, const LogEntry& entry) { add_text(line, entry.exchange.client.ip); }},
    {"method", [](Line& line, const LogEntry& entry) { add_text(line, entry.exchange.request.method_name); }},
    {"host", [](Line& line, const LogEntry& entry) { add_text(line, entry.exchange.request.authority); }},
    {"path", [](Line& line, const LogEntry& entry) { add_text(line, entry.exchange.request.target); }},
    {"proto", [](Line& line, const LogEntry& entry) { line.add(http::name_of(entry.exchange.request.version)); }},
    {"status", [](Line& line, const LogEntry& entry) { line.add_number(logged_status(entry.exchange)); }},
    {"grpc_status",
     [](Line& line, const LogEntry& entry) {
       if (const auto status = entry.exchange.record.grpc_status) return line.add_number(*status);
       line.add('-');
     }},
    {"bytes_in", [](Line& line, const LogEntry& e) { line.add_number(e.exchange.record.request_body_bytes); }},
    {"bytes_out", [](Line& line, const LogEntry& e) { line.add_number(e.exchange.record.response_body_bytes); }},
    {"duration",
     [](Line& line, const LogEntry& entry) {
       line.add_seconds(entry.exchange.record.finished - entry.exchange.record.started);
     }},
    {"route",
     [](Line& line, const LogEntry& entry) {
       add_text(line, entry.exchange.route ? std::string_view(entry.exchange.route->name) : "");
     }},
    {"listener", [](Line& line, const LogEntry& entry) { add_text(line, entry.exchange.client.listener); }},
    {"upstream",
     [](Line& line, const LogEntry& entry) {
       const auto* attempt = decisive_attempt(entry.exchange);
       const auto* failure = failure_of(entry);
       add_text(line, attempt ? attempt->upstream : failure ? failure->upstream : "");
     }},
    {"endpoint",
     [](Line& line, const LogEntry& entry) {
       const auto* attempt = decisive_attempt(entry.exchange);
       add_text(line, attempt ? attempt->endpoint : "");
     }},
    {"upstream_status",
     [](Line& line, const LogEntry& entry) {
       const auto* attempt = decisive_attempt(entry.exchange);
       if (attempt && attempt->status != 0) return line.add_number(attempt->status);
       line.add('-');
     }},
    {"attempts", [](Line& line, const LogEntry& entry) { line.add_number(entry.exchange.attempts.size()); }},
    {"flags", [](Line& line, const LogEntry& entry) { add_flags(line, entry.exchange); }},
    {"error",
     [](Line& line, const LogEntry& entry) {
       const auto* failure = failure_of(entry);
       add_text(line, failure ? name_of(failure->code) : "");
     }},
    {"error_detail",
     [](Line& line, const LogEntry& entry) {
       const auto* failure = failure_of(entry);
       add_text(line, failure ? failure->detail : "");
     }},
    {"error_by",
     [](Line& line, const LogEntry& entry) {
       const auto* failure = failure_of(entry);
       add_text(line, failure ? failure->by : "");
     }},
    {"instead_of", [](Line& line, const LogEntry& entry) { add_text(line, entry.exchange.facts.get(kInsteadOf)); }},
    {"cache", [](Line& line, const LogEntry& entry) { add_text(line, entry.exchange.facts.get(kCacheOutcome)); }},
    {"user_agent",
     [](Line& line, const LogEntry& entry) {
       add_text(line, entry.exchange.request.headers.get(http::Field::user_agent).value_or(""));
     }},
    {"referer",
     [](Line& line, const LogEntry& entry) {
       add_text(line, entry.exchange.request.headers.get(http::Field::referer).value_or(""));
     }},
};

}  // namespace

const Failure* told_failure(const Exchange& exchange) {
  if (exchange.failure) return &*exchange.failure;
  return exchange.cause ? &*exchange.cause : nullptr;
}

const LogField* find_log_field(std::string_view name) {
  for (const auto& field : kFields) {
    if (field.name == name) return &field;
  }
  return nullptr;
}

void append_combined(Line& line, const LogEntry& entry) {
  const Exchange& exchange = entry.exchange;
  add_text(line, exchange.client.ip);
  line.add(" - - [");
  line.add(entry.timestamp);
  line.add("] \"");
  line.add_escaped(exchange.request.method_name);
  line.add(' ');
  line.add_escaped(exchange.request.target);
  line.add(' ');
  line.add(http::name_of(exchange.request.version));
  line.add("\" ");
  line.add_number(logged_status(exchange));
  line.add(' ');
  line.add_number(exchange.record.response_body_bytes);
  line.add(" \"");
  add_text(line, exchange.request.headers.get(http::Field::referer).value_or(""));
  line.add("\" \"");
  add_text(line, exchange.request.headers.get(http::Field::user_agent).value_or(""));
  line.add('"');
}

}  // namespace weir::observe
