#include "routing/pattern.h"

#include <algorithm>

#include "http/target.h"
#include "routing/regex.h"

namespace weir::routing {

namespace {

constexpr std::string_view kHostHint =
    "write api.example.com, *.example.com or { regex: … }, with a :port if it matters";

std::optional<std::string> read_regex(config::Reader& r, Case letters) {
  std::optional<std::string> pattern;
  r.optional("regex", pattern, "an RE2 expression that matches all of it", config::non_empty);
  if (pattern) check_regex(r, "regex", *pattern, letters);
  return pattern;
}

// What is wrong with it, or "".
std::string parse_host(std::string_view written, HostPattern& out) {
  const auto name = http::host_of(written);
  const auto port = http::port_of(written);
  auto host = name;
  if (host.ends_with('.')) host.remove_suffix(1);
  out.kind = host.starts_with("*.") ? HostPattern::Kind::wildcard : HostPattern::Kind::exact;
  if (out.kind == HostPattern::Kind::wildcard) host.remove_prefix(1);
  const auto plain = host.starts_with('.') ? host.substr(1) : host;
  if (plain.contains('*')) return "a wildcard stands for whole labels at the start";
  const auto digits = parse_decimal(port);
  const bool has_port = name.size() < written.size();
  if (!http::is_valid_authority(plain) || (has_port && (!digits || *digits == 0 || *digits > 65535))) {
    return "not a host name";
  }
  out.port = static_cast<uint16_t>(digits.value_or(0));
  out.text = host;
  std::ranges::transform(out.text, out.text.begin(), to_lower);
  return {};
}

// Requests arrive with their path in one normal form: a pattern in another would never match.
void check_path(config::Reader& r, std::string_view key, const std::string& path) {
  if (!path.starts_with('/')) return r.problem_at(key, "'" + path + "' is not a path", "a path begins with '/'");
  const auto is_path_byte = [](char c) { return c > ' ' && c < '\x7f' && c != '?' && c != '#'; };
  if (!std::ranges::all_of(path, is_path_byte)) {
    return r.problem_at(key, "'" + path + "' has bytes that no path has", "percent-encode them: %20, %C3%A9");
  }
  constexpr http::PathPolicy kKeep{.encoded_backslash = http::PathPolicy::Encoded::keep};
  BlockPool pool(8192);
  Arena arena(pool);
  const auto normal = http::normalize_path(path, kKeep, arena);
  if (!normal) return r.problem_at(key, "'" + path + "' matches no path: " + std::string(normal.error().detail));
  if (*normal != path) {
    r.problem_at(key, "'" + path + "' is not how requests arrive", "write " + std::string(*normal));
  }
}

}  // namespace

void check_regex(config::Reader& r, std::string_view key, const std::string& pattern, Case letters) {
  const auto regex = Regex::compile(pattern, letters);
  if (regex) return;
  r.problem_at(key, "'" + pattern + "' is not a regular expression: " + regex.error(),
               "RE2 syntax: no look-around and no back-references");
}

void decode(config::Reader& r, HostPattern& out) {
  r.shorthand("name");
  r.exactly_one_of({"name", "regex"});
  std::optional<std::string> name;
  r.optional("name", name, "a host name, or *.example.com for all hosts below it");
  if (name) {
    const auto wrong = parse_host(*name, out);
    if (!wrong.empty()) r.problem_at("name", "'" + *name + "': " + wrong, std::string(kHostHint));
  }
  if (auto regex = read_regex(r, Case::ignored)) out = {HostPattern::Kind::regex, std::move(*regex)};
}

void decode(config::Reader& r, PathPattern& out) {
  r.shorthand("prefix");
  r.exactly_one_of({"prefix", "exact", "regex"});
  std::optional<std::string> prefix, exact;
  r.optional("prefix", prefix, "this path and all below it, on segment boundaries");
  r.optional("exact", exact, "this path alone");
  if (prefix) {
    check_path(r, "prefix", *prefix);
    out = {PathPattern::Kind::prefix, prefix->ends_with('/') ? prefix->substr(0, prefix->size() - 1) : *prefix};
  }
  if (exact) {
    check_path(r, "exact", *exact);
    out = {PathPattern::Kind::exact, std::move(*exact)};
  }
  if (auto regex = read_regex(r, Case::sensitive)) out = {PathPattern::Kind::regex, std::move(*regex)};
}

void decode(config::Reader& r, FieldPattern& out) {
  r.shorthand("exact");
  r.exactly_one_of({"exact", "regex", "present"});
  std::optional<std::string> exact;
  std::optional<bool> present;
  r.optional("exact", exact, "this very value");
  r.optional("present", present, "true: there, with any value; false: not there");
  if (exact) out = {FieldPattern::Kind::exact, std::move(*exact)};
  if (present) out = {*present ? FieldPattern::Kind::present : FieldPattern::Kind::absent, {}};
  if (auto regex = read_regex(r, Case::sensitive)) out = {FieldPattern::Kind::regex, std::move(*regex)};
}

std::string text_of(const HostPattern& pattern) {
  const auto port = pattern.port ? ":" + std::to_string(pattern.port) : "";
  switch (pattern.kind) {
    case HostPattern::Kind::exact: return pattern.text + port;
    case HostPattern::Kind::wildcard: return "*" + pattern.text + port;
    case HostPattern::Kind::regex: return "regex " + pattern.text;
  }
  return {};
}

std::string text_of(const PathPattern& pattern) {
  switch (pattern.kind) {
    case PathPattern::Kind::prefix: return "prefix " + (pattern.text.empty() ? "/" : pattern.text);
    case PathPattern::Kind::exact: return "exactly " + pattern.text;
    case PathPattern::Kind::regex: return "regex " + pattern.text;
  }
  return {};
}

std::string text_of(const FieldPattern& pattern) {
  switch (pattern.kind) {
    case FieldPattern::Kind::exact: return "'" + pattern.text + "'";
    case FieldPattern::Kind::regex: return "regex " + pattern.text;
    case FieldPattern::Kind::present: return "any value";
    case FieldPattern::Kind::absent: return "none";
  }
  return {};
}

bool covers(const HostPattern& wide, const HostPattern& narrow) {
  if (wide.port != 0 && wide.port != narrow.port) return false;
  if (wide.kind == narrow.kind && wide.text == narrow.text) return true;
  if (wide.kind != HostPattern::Kind::wildcard || narrow.kind == HostPattern::Kind::regex) return false;
  return narrow.text.size() > wide.text.size() && narrow.text.ends_with(wide.text);
}

bool covers(const PathPattern& wide, const PathPattern& narrow) {
  if (wide == narrow || wide.is_any()) return true;
  return wide.kind == PathPattern::Kind::prefix && narrow.kind != PathPattern::Kind::regex &&
         is_below(narrow.text, wide.text);
}

RequestHost::RequestHost(const http::RequestHead& head) {
  const auto port = parse_decimal(http::port_of(head.authority));
  const uint16_t standard = head.scheme == "https" ? 443 : 80;
  port_ = static_cast<uint16_t>(port.value_or(standard));
  auto host = http::host_of(head.authority);
  if (host.ends_with('.')) host.remove_suffix(1);
  if (host.size() > sizeof name_) return;
  std::ranges::transform(host, name_, to_lower);
  size_ = static_cast<uint8_t>(host.size());
}

}  // namespace weir::routing
