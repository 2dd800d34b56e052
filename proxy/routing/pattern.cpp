#include "routing/pattern.h"

#include <algorithm>

#include "config/foreign.h"
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

/// What Weir has for a host in the form of another proxy, or "".
std::string foreign_host(std::string_view written) {
  if (written == "_" || written == "*" || written == "default_server")
    return "leave host out: the route takes any host";
  if (written.starts_with('~')) return "write { regex: … }; the expression matches all of the host";
  if (written.contains("://"))
    return "write the host alone, without " + std::string(written.substr(0, written.find(':') + 3));
  if (written.contains('/')) return "write the host alone; a path goes into match.path";
  if (written.starts_with('.')) {
    const std::string name(written.substr(1));
    return "write two names: [" + name + ", '*." + name + "']";
  }
  if (written.ends_with(".*"))
    return "write { regex: '" + std::string(written.substr(0, written.size() - 2)) + "\\..*' }";
  return config::foreign_variable(written);
}

/// What Weir has for a path in the form of another proxy, or "".
std::string foreign_path(std::string_view written) {
  const auto rest_after = [&](std::string_view modifier) { return std::string(trim(written.substr(modifier.size()))); };
  if (written.starts_with("^~")) return "write path: " + rest_after("^~") + ", a prefix";
  if (written.starts_with("~*")) return "write { regex: '(?i)…' }; the expression matches all of the path";
  if (written.starts_with('~') || written.starts_with('^'))
    return "write { regex: … }; the expression matches all of the path";
  if (written.starts_with('=')) return "write { exact: " + rest_after("=") + " }";
  if (const auto question = written.find('?'); question != std::string_view::npos && written.starts_with('/'))
    return "write path: " + std::string(written.substr(0, question)) + " and query: { NAME: VALUE }";
  if (const auto star = written.find('*'); star != std::string_view::npos) {
    const auto prefix = written.substr(0, star);
    const bool is_prefix = star + 1 == written.size() || written.substr(star) == "**";
    if (is_prefix && prefix.ends_with('/'))
      return "write path: " + std::string(prefix) + ", a prefix: it takes all below it";
    return "write { regex: … } with .* for any text; a star itself is \\* there";
  }
  return config::foreign_variable(written);
}

/// A form of another proxy in a path that could be meant as it is; "" = none.
std::string_view doubtful_part(std::string_view path) {
  const auto begin = path.find_first_of("{|");
  if (begin != std::string_view::npos) return path[begin] == '|' ? "|" : path.substr(begin, path.find('}') - begin + 1);
  const auto colon = path.find("/:");
  if (colon == std::string_view::npos) return {};
  const auto segment = path.substr(colon + 1);
  return segment.substr(0, segment.find('/'));
}

void warn_of_literal_path(config::Reader& r, std::string_view key, const std::string& path) {
  const auto part = doubtful_part(path);
  if (part.empty()) return;
  r.problems().warn(r.location_of(key), "'" + path + "' matches paths with the text '" + std::string(part) + "' alone",
                    part == "|" ? "write a route for each, or { regex: '(/a|/b)(/.*)?' }"
                                : "write { regex: … } with [^/]+ for one segment of any text");
}

/// Values that look like an expression are compared as they are.
void warn_of_literal_value(config::Reader& r, std::string_view value) {
  const bool is_any = value == "*" || value == ".*";
  if (!is_any && !value.starts_with('~') && !value.starts_with('^') && !value.ends_with('*')) return;
  if (value == "*/*") return;
  r.problems().warn(
      r.location_of("exact"), "'" + std::string(value) + "' matches this very text alone",
      is_any ? "write { present: true } for any value" : "write { regex: … }; the expression matches all of the value");
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
  if (auto hint = foreign_path(path); !hint.empty())
    return r.problem_at(key, "'" + path + "' matches no path: it is not Weir's way to write one", std::move(hint));
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
  if (*normal != path)
    return r.problem_at(key, "'" + path + "' is not how requests arrive", "write " + std::string(*normal));
  warn_of_literal_path(r, key, path);
}

std::string without_caret(const std::string& pattern) { return pattern.starts_with('^') ? pattern.substr(1) : pattern; }

/// Where a question mark stands that each matching text has: escaped, outside groups and alternatives.
size_t required_question_mark(std::string_view pattern) {
  if (pattern.find_first_of("|[") != std::string_view::npos) return std::string::npos;
  int depth = 0;
  for (size_t at = 0; at < pattern.size(); ++at) {
    if (pattern[at] == '(') ++depth;
    if (pattern[at] == ')') --depth;
    if (pattern[at] != '\\') continue;
    const auto after = pattern.substr(std::min(at + 2, pattern.size()));
    const bool is_optional = after.starts_with('?') || after.starts_with('*') || after.starts_with('{');
    if (++at < pattern.size() && pattern[at] == '?' && depth == 0 && !is_optional) return at;
  }
  return std::string::npos;
}

}  // namespace

void check_regex(config::Reader& r, std::string_view key, const std::string& pattern, Case letters) {
  const auto regex = Regex::compile(pattern, letters);
  if (regex) return;
  const bool has_foreign_name = pattern.contains("(?<") && !pattern.contains("(?<=") && !pattern.contains("(?<!");
  r.problem_at(
      key, "'" + pattern + "' is not a regular expression: " + regex.error(),
      has_foreign_name ? "write (?P<name>…) for (?<name>…)" : "RE2 syntax: no look-around and no back-references");
}

void check_path_regex(config::Reader& r, std::string_view key, const std::string& pattern) {
  check_regex(r, key, pattern);
  const auto regex = Regex::compile(pattern);
  if (!regex) return;
  if (const auto question = required_question_mark(pattern); question != std::string::npos) {
    return r.problem_at(key, "'" + pattern + "' matches no path: a path ends before the '?'",
                        "match the query with query: { NAME: VALUE }");
  }
  if (!regex->may_begin_with('/')) {
    return r.problem_at(
        key, "'" + pattern + "' matches no path: a path begins with '/', and the expression matches all of it",
        "write a '/' or .* before it: '.*" + without_caret(pattern) + "'");
  }
  if (!pattern.starts_with('^') || pattern.ends_with('$')) return;
  const auto text = without_caret(pattern);
  if (text.find_first_of("\\^$.|?*+()[]{}") != std::string::npos) return;
  r.problems().warn(r.location_of(key),
                    "'" + pattern + "' matches the path " + text + " alone: an expression matches all of the path",
                    "write path: " + text + ", a prefix, or { regex: '" + text + ".*' }");
}

void decode(config::Reader& r, HostPattern& out) {
  r.shorthand("name");
  r.exactly_one_of({"name", "regex"});
  std::optional<std::string> name;
  r.optional("name", name, "a host name, or *.example.com for all hosts below it");
  if (name) {
    auto foreign = foreign_host(*name);
    const auto wrong = foreign.empty() ? parse_host(*name, out) : "not a host name";
    const auto hint = foreign.empty() ? std::string(kHostHint) : std::move(foreign);
    if (!wrong.empty()) r.problem_at("name", "'" + *name + "': " + wrong, hint);
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
  std::optional<std::string> regex;
  r.optional("regex", regex, "an RE2 expression that matches all of it", config::non_empty);
  if (!regex) return;
  check_path_regex(r, "regex", *regex);
  out = {PathPattern::Kind::regex, std::move(*regex)};
}

void decode(config::Reader& r, FieldPattern& out) {
  r.shorthand("exact");
  r.exactly_one_of({"exact", "regex", "present"});
  std::optional<std::string> exact;
  std::optional<bool> present;
  r.optional("exact", exact, "this very value");
  r.optional("present", present, "true: there, with any value; false: not there");
  if (exact) {
    warn_of_literal_value(r, *exact);
    out = {FieldPattern::Kind::exact, std::move(*exact)};
  }
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
