#include "routing/matcher.h"

#include <algorithm>

#include "http/query.h"

namespace weir::routing {

namespace {

bool accepts(const HostPattern& pattern, const RequestHost& host) {
  if (pattern.port != 0 && pattern.port != host.port()) return false;
  switch (pattern.kind) {
    case HostPattern::Kind::exact: return host.name() == pattern.text;
    case HostPattern::Kind::wildcard:
      return host.name().size() > pattern.text.size() && host.name().ends_with(pattern.text);
    case HostPattern::Kind::regex: return Regex::compile(pattern.text, Case::ignored)->matches(host.name());
  }
  return false;
}

template <class List, class Text>
std::string words(const List& list, Text text) {
  std::string out;
  for (const auto& item : list) out += (out.empty() ? "" : ", ") + text(item);
  return out;
}

std::string wants(std::string_view what, const std::string& wanted, std::string_view got) {
  return std::string(what) + ": wants " + wanted + ", got " + (got.empty() ? "none" : std::string(got));
}

}  // namespace

Matcher::Matcher(const MatchSettings& settings)
    : settings_(settings), headers_(compile(settings.headers)), query_(compile(settings.query)) {}

std::vector<Matcher::Field> Matcher::compile(const std::vector<config::Named<FieldPattern>>& fields) {
  std::vector<Field> out;
  for (const auto& field : fields) {
    auto& added = out.emplace_back(field.name, field.value, std::nullopt);
    if (field.value.kind == FieldPattern::Kind::regex) added.regex = *Regex::compile(field.value.text);
  }
  return out;
}

bool Matcher::Field::accepts(std::string_view value) const {
  switch (pattern.kind) {
    case FieldPattern::Kind::exact: return value == pattern.text;
    case FieldPattern::Kind::regex: return regex->matches(value);
    case FieldPattern::Kind::present:
    case FieldPattern::Kind::absent: return true;
  }
  return false;
}

bool Matcher::has_header(const Field& field, const http::Headers& headers) {
  const bool found = std::any_of(headers.begin(), headers.end(), [&](const http::Header& header) {
    return equals_ignoring_case(header.name, field.name) && field.accepts(header.value);
  });
  return found != (field.pattern.kind == FieldPattern::Kind::absent);
}

bool Matcher::has_parameter(const Field& field, Exchange& exchange) {
  const auto raw = http::find_parameter(exchange.request.query, field.name);
  const bool found = raw && field.accepts(http::decode_parameter(*raw, exchange.arena()));
  return found != (field.pattern.kind == FieldPattern::Kind::absent);
}

bool Matcher::accepts_method(const Exchange& exchange) const {
  return settings_.methods.empty() || std::ranges::count(settings_.methods, exchange.request.method_name) > 0;
}

bool Matcher::accepts_listener(const Exchange& exchange) const {
  return settings_.listeners.empty() ||
         std::ranges::count(settings_.listeners, exchange.client.listener, &config::Located<std::string>::value) > 0;
}

bool Matcher::accepts_host(const RequestHost& host) const {
  return settings_.hosts.empty() ||
         std::ranges::any_of(settings_.hosts, [&](const auto& pattern) { return routing::accepts(pattern, host); });
}

bool Matcher::accepts_path(std::string_view path) const {
  const auto& pattern = settings_.path;
  if (pattern.is_any()) return true;
  switch (pattern.kind) {
    case PathPattern::Kind::prefix: return is_below(path, pattern.text);
    case PathPattern::Kind::exact: return path == pattern.text;
    case PathPattern::Kind::regex: return Regex::compile(pattern.text)->matches(path);
  }
  return false;
}

bool Matcher::accepts(Exchange& exchange) const {
  if (!accepts_method(exchange) || !accepts_listener(exchange)) return false;
  for (const auto& field : headers_) {
    if (!has_header(field, exchange.request.headers)) return false;
  }
  for (const auto& field : query_) {
    if (!has_parameter(field, exchange)) return false;
  }
  return true;
}

std::string Matcher::mismatch(Exchange& exchange) const {
  const auto& request = exchange.request;
  if (!accepts_host(RequestHost(request))) {
    return wants("host", words(settings_.hosts, [](const auto& host) { return text_of(host); }), request.authority);
  }
  const auto path = request.matched_path();
  if (!accepts_path(path)) return wants("path", text_of(settings_.path), path);
  if (!accepts_method(exchange)) {
    return wants("method", words(settings_.methods, [](const auto& method) { return method; }), request.method_name);
  }
  for (const auto& field : headers_) {
    if (has_header(field, request.headers)) continue;
    return wants("header " + field.name, text_of(field.pattern), request.headers.joined(field.name).value_or(""));
  }
  for (const auto& field : query_) {
    if (has_parameter(field, exchange)) continue;
    return wants("query " + field.name, text_of(field.pattern),
                 http::find_parameter(request.query, field.name).value_or(""));
  }
  if (!accepts_listener(exchange)) {
    return wants("listener", words(settings_.listeners, [](const auto& name) { return name.value; }),
                 exchange.client.listener);
  }
  return {};
}

}  // namespace weir::routing
