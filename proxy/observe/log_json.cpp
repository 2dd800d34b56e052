#include "observe/log_fields.h"

namespace weir::observe {

namespace {

// `key` comes with everything that stands before the value: `,"method":"`.

void add_text(Line& line, std::string_view key, std::string_view text) {
  line.add(key);
  line.add_json(text);
  line.add('"');
}

void add_text_if_any(Line& line, std::string_view key, std::string_view text) {
  if (!text.empty()) add_text(line, key, text);
}

void add_number(Line& line, std::string_view key, uint64_t number) {
  line.add(key);
  line.add_number(number);
}

void add_interval(Line& line, std::string_view key, Time from, Time to) {
  if (to < from) return;  // it never came to that
  line.add(key);
  line.add_seconds(to - from);
}

void add_upstream(Line& line, const Exchange& exchange) {
  const Attempts& attempts = exchange.attempts;
  if (attempts.empty()) {
    const auto* failure = told_failure(exchange);
    if (!failure || failure->upstream.empty()) return;
    add_text(line, R"(,"upstream":{"name":")", failure->upstream);
    line.add(R"(,"attempts":0})");
    return;
  }
  const Attempt& attempt = attempts.decisive();
  add_text(line, R"(,"upstream":{"name":")", attempt.upstream);
  add_text(line, R"(,"addr":")", attempt.endpoint);
  if (attempt.status != 0) add_number(line, R"(,"status":)", attempt.status);
  if (!attempt.reused) add_interval(line, R"(,"connect":)", attempt.started, attempt.connected);
  add_interval(line, R"(,"ttfb":)", attempt.started, attempt.answered);
  add_number(line, R"(,"attempts":)", attempts.size());
  line.add(attempt.reused ? R"(,"reused":true})" : R"(,"reused":false})");
}

void add_tls(Line& line, const ClientTls* tls) {
  if (!tls) return;
  add_text(line, R"(,"tls":{"version":")", tls->version);
  add_text(line, R"(,"cipher":")", tls->cipher);
  add_text_if_any(line, R"(,"sni":")", tls->server_name);
  add_text_if_any(line, R"(,"client":")", tls->subject);
  line.add('}');
}

/// What the PROXY header said.
void add_proxy(Line& line, const Facts& facts) {
  struct Told {
    std::string_view fact;
    std::string_view key;
  };
  constexpr Told kTold[] = {
      {"proxy.authority", R"("authority":")"}, {"proxy.alpn", R"("alpn":")"}, {"proxy.unique_id", R"("unique_id":")"}};
  std::string_view opening = R"(,"proxy":{)";
  for (const auto& told : kTold) {
    const auto value = facts.get(told.fact);
    if (value.empty()) continue;
    line.add(opening);
    add_text(line, told.key, value);
    opening = ",";
  }
  if (opening == ",") line.add('}');
}

void add_flags(Line& line, uint32_t flags) {
  if (!flags) return;
  std::string_view opening = R"(,"flags":[")";
  for_each_flag(flags, [&](std::string_view flag) {
    line.add(opening);
    line.add(flag);
    opening = R"(",")";
  });
  line.add(R"("])");
}

/// `key` ends with the opening of the object and its first key.
void add_failure(Line& line, std::string_view key, const Failure& failure) {
  add_text(line, key, name_of(failure.code));
  add_text_if_any(line, R"(,"detail":")", failure.detail);
  add_text_if_any(line, R"(,"by":")", failure.by);
  add_text_if_any(line, R"(,"upstream":")", failure.upstream);
  add_text_if_any(line, R"(,"endpoint":")", failure.endpoint);
  line.add('}');
}

/// `cause`, when what a filter did in place of that failure failed, too.
void add_error(Line& line, const Exchange& exchange) {
  if (const auto* failure = told_failure(exchange)) add_failure(line, R"(,"error":{"code":")", *failure);
  if (exchange.failure && exchange.cause) add_failure(line, R"(,"cause":{"code":")", *exchange.cause);
}

}  // namespace

void append_json(Line& line, const LogEntry& entry) {
  const Exchange& exchange = entry.exchange;
  const auto& request = exchange.request;
  const auto& record = exchange.record;
  add_text(line, R"({"ts":")", entry.timestamp);
  add_text_if_any(line, R"(,"request_id":")", exchange.id);
  add_text(line, R"(,"client":")", exchange.client.ip);
  add_text(line, R"(,"method":")", request.method_name);
  add_text(line, R"(,"host":")", request.authority);
  add_text(line, R"(,"path":")", request.target);
  add_text(line, R"(,"proto":")", http::name_of(request.version));
  add_number(line, R"(,"status":)", logged_status(exchange));
  add_number(line, R"(,"bytes_in":)", record.request_body_bytes);
  add_number(line, R"(,"bytes_out":)", record.response_body_bytes);
  line.add(R"(,"duration":)");
  line.add_seconds(record.finished - record.started);
  if (record.grpc_status) add_number(line, R"(,"grpc_status":)", *record.grpc_status);
  if (exchange.route) add_text(line, R"(,"route":")", exchange.route->name);
  add_text(line, R"(,"listener":")", exchange.client.listener);
  add_tls(line, exchange.client.tls);
  add_proxy(line, exchange.facts);
  add_upstream(line, exchange);
  add_text_if_any(line, R"(,"cache":")", exchange.facts.get(kCacheOutcome));
  add_flags(line, record.flags);
  add_text_if_any(line, R"(,"instead_of":")", exchange.facts.get(kInsteadOf));
  add_error(line, exchange);
  add_text_if_any(line, R"(,"user_agent":")", request.headers.get(http::Field::user_agent).value_or(""));
  add_text_if_any(line, R"(,"referer":")", request.headers.get(http::Field::referer).value_or(""));
  line.add('}');
}

}  // namespace weir::observe
