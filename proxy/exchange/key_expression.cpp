#include "exchange/key_expression.h"

#include <algorithm>

#include "base/arena_text.h"
#include "config/foreign.h"
#include "config/suggest.h"
#include "exchange/client_networks.h"
#include "http/cookie.h"
#include "http/query.h"
#include "http/syntax.h"
#include "http/target.h"

namespace weir {

namespace {

struct TlsKey {
  std::string_view name;
  std::string_view ClientTls::* value;
};
constexpr TlsKey kTlsKeys[] = {
    {"tls.sni", &ClientTls::server_name},    {"tls.version", &ClientTls::version},
    {"tls.cipher", &ClientTls::cipher},      {"tls.client.subject", &ClientTls::subject},
    {"tls.client.names", &ClientTls::names}, {"tls.client.fingerprint", &ClientTls::fingerprint},
};

// Told by the PROXY header that the connection began with, and kept as facts.
constexpr std::string_view kProxyKeys[] = {"proxy.authority", "proxy.alpn", "proxy.unique_id"};

const std::vector<std::string> kKnown = [] {
  std::vector<std::string> known{"client.ip",   "method",      "host",       "path",     "path[0]",
                                 "header.NAME", "cookie.NAME", "query.NAME", "jwt.CLAIM"};
  for (const auto& key : kTlsKeys) known.emplace_back(key.name);
  for (const auto key : kProxyKeys) known.emplace_back(key);
  return known;
}();
constexpr size_t kDeepestSegment = 99;

// In an encoded text '|' is between two parts, and the first '=' of a part is between its kind and its value.
constexpr bool is_special(char c) { return c == '|' || c == '\\'; }
constexpr bool is_special_in_kind(char c) { return is_special(c) || c == '='; }

// In lower case, without port and trailing dot: one name for one host.
std::string_view host_of(Exchange& exchange) {
  auto host = http::host_of(exchange.request.authority);
  if (host.ends_with('.')) host.remove_suffix(1);
  if (std::ranges::none_of(host, [](char c) { return c != to_lower(c); })) return host;
  auto* lower = static_cast<char*>(exchange.arena().bump(host.size(), 1));
  std::ranges::transform(host, lower, to_lower);
  return {lower, host.size()};
}

std::string_view segment_of(std::string_view path, size_t index) {
  if (!path.starts_with('/')) return {};
  for (path.remove_prefix(1);; --index) {
    const auto slash = path.find('/');
    if (index == 0) return path.substr(0, slash);
    if (slash == std::string_view::npos) return {};
    path.remove_prefix(slash + 1);
  }
}

std::optional<std::string_view> parameter_of(Exchange& exchange, std::string_view name) {
  const auto raw = http::find_parameter(exchange.request.query, name);
  return raw ? std::optional(http::decode_parameter(*raw, exchange.arena())) : std::nullopt;
}

/// Of what is absent when it is empty.
std::optional<std::string_view> unless_empty(std::string_view value) {
  return value.empty() ? std::nullopt : std::optional(value);
}

std::string_view escaped(std::string_view value, Arena& arena) {
  const auto specials = static_cast<size_t>(std::ranges::count_if(value, is_special));
  if (specials == 0) return value;
  auto* const text = static_cast<char*>(arena.bump(value.size() + specials, 1));
  char* to = text;
  for (const char c : value) {
    if (is_special(c)) *to++ = '\\';
    *to++ = c;
  }
  return {text, static_cast<size_t>(to - text)};
}

/// The hint of a text with keys, for a setting that is one key itself.
std::string without_braces(std::string hint) {
  const auto at = hint.find("write {");
  if (at == std::string::npos) return hint + "; here a key stands without braces";
  std::erase_if(hint, [](char c) { return c == '{' || c == '}'; });
  return hint;
}

std::string unknown(std::string_view text) {
  if (text.starts_with('{') && text.ends_with('}') && text.size() > 2) {
    const auto inner = text.substr(1, text.size() - 2);
    if (KeyExpression::parse(inner))
      return "'" + std::string(text) + "' has braces; write " + std::string(inner) + ": here a key stands without them";
  }
  if (auto hint = config::foreign_variable(text); !hint.empty()) return without_braces(std::move(hint));
  if (auto hint = config::foreign_variable("{" + std::string(text) + "}"); !hint.empty()) return hint;
  return "'" + std::string(text) + "' is not known; " + config::did_you_mean(text, kKnown) +
         "write one of: " + config::join(kKnown);
}

// Claims and parameters may have any name that a person writes in one line.
bool is_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) { return http::is_field_byte(c) && c != '\t'; });
}

}  // namespace

std::expected<KeyExpression, std::string> KeyExpression::parse(std::string_view text) {
  auto part = parse_part(trim(text));
  if (!part) return std::unexpected(std::move(part.error()));
  part->kind = kind_of(*part);
  KeyExpression out;
  out.parts_.push_back(std::move(*part));
  return out;
}

std::expected<KeyExpression::Part, std::string> KeyExpression::parse_part(std::string_view text) {
  if (text == "client.ip") return Part{Source::client_ip, {}};
  if (text == "method") return Part{Source::method, {}};
  if (text == "host") return Part{Source::host, {}};
  if (text == "path") return Part{Source::path, {}};
  if (text.starts_with("path[")) {
    const auto index = text.ends_with(']') ? parse_decimal(text.substr(5, text.size() - 6)) : std::nullopt;
    if (index && *index <= kDeepestSegment) return Part{Source::path_segment, {}, static_cast<size_t>(*index)};
    return std::unexpected("path[N] takes a number from 0 (the first segment) to 99");
  }
  if (const auto key = std::ranges::find(kTlsKeys, text, &TlsKey::name); key != std::end(kTlsKeys)) {
    return Part{Source::tls, {}, static_cast<size_t>(key - kTlsKeys)};
  }
  if (std::ranges::find(kProxyKeys, text) != std::end(kProxyKeys)) return Part{Source::fact, std::string(text)};
  const auto dot = text.find('.');
  const auto family = text.substr(0, dot);
  const auto name = dot == std::string_view::npos ? std::string_view() : text.substr(dot + 1);
  const bool has_token = family == "header" || family == "cookie";
  if (!has_token && family != "query" && family != "jwt") return std::unexpected(unknown(text));
  if (has_token ? !http::is_token(name) : !is_name(name)) {
    const auto example = family == "jwt" ? "jwt.sub" : std::string(family) + (family == "header" ? ".x-user" : ".id");
    return std::unexpected("'" + std::string(name) + "' is not a name; write " + example);
  }
  if (family == "header") return Part{Source::header, std::string(name)};
  if (family == "cookie") return Part{Source::cookie, std::string(name)};
  if (family == "query") return Part{Source::query, std::string(name)};
  return Part{Source::fact, std::string(text)};
}

KeyExpression KeyExpression::join(std::vector<KeyExpression> parts) {
  KeyExpression out;
  for (auto& expression : parts) {
    for (auto& part : expression.parts_) out.parts_.push_back(std::move(part));
  }
  return out;
}

KeyExpression KeyExpression::by_network() const {
  KeyExpression out = *this;
  for (auto& part : out.parts_) {
    if (part.source == Source::client_ip) part.source = Source::client_network;
  }
  return out;
}

std::string_view KeyExpression::evaluate(Exchange& exchange) const {
  if (parts_.size() == 1) return value_of(parts_.front(), exchange).value_or("");
  auto& arena = exchange.arena();
  ArenaText out(arena);
  for (const auto& part : parts_) {
    const auto value = value_of(part, exchange).value_or("");
    if (value.empty()) return {};
    const auto safe = escaped(value, arena);
    out << (out.empty() ? "" : "|") << safe;
  }
  return out.text();
}

KeyExpression::Encoded KeyExpression::encode(Exchange& exchange, Empty empty) const {
  auto& arena = exchange.arena();
  ArenaText text(arena);
  size_t present = 0;
  for (const auto& part : parts_) {
    const auto value = value_of(part, exchange);
    const auto safe = value ? escaped(*value, arena) : std::string_view();
    const bool is_present = value && !(safe.empty() && empty == Empty::absent);
    text << (text.empty() ? "" : "|") << part.kind << (is_present ? "=" : "") << safe;
    present += safe.empty() ? 0 : 1;
  }
  const auto values = present == 0 ? Values::none : present == parts_.size() ? Values::all : Values::some;
  return {text.text(), values};
}

std::string_view KeyExpression::hashed(Exchange& exchange) const {
  if (parts_.size() == 1) return evaluate(exchange);
  const auto encoded = encode(exchange);
  return encoded.values == Values::none ? std::string_view() : encoded.text;
}

std::optional<std::string_view> KeyExpression::value_of(const Part& part, Exchange& exchange) {
  const auto& request = exchange.request;
  switch (part.source) {
    case Source::client_ip: return unless_empty(exchange.client.ip);
    case Source::client_network: return unless_empty(network_of(exchange.client.ip, exchange.arena()));
    case Source::method: return request.method_name;
    case Source::host: return host_of(exchange);
    case Source::path: return request.matched_path();
    case Source::path_segment: return unless_empty(segment_of(request.matched_path(), part.index));
    case Source::header: return request.headers.joined(part.name);
    case Source::cookie: return http::find_cookie(request.headers, part.name);
    case Source::query: return parameter_of(exchange, part.name);
    case Source::tls:
      return unless_empty(exchange.client.tls ? exchange.client.tls->*kTlsKeys[part.index].value : std::string_view());
    case Source::fact: return unless_empty(exchange.facts.get(part.name));
  }
  return std::nullopt;
}

/// Field names have no case; '\' stands before what is special.
std::string KeyExpression::kind_of(const Part& part) {
  std::string kind;
  for (const char c : text_of(part)) {
    if (is_special_in_kind(c)) kind += '\\';
    kind += part.source == Source::header ? to_lower(c) : c;
  }
  return kind;
}

std::string KeyExpression::text_of(const Part& part) {
  switch (part.source) {
    case Source::client_ip:
    case Source::client_network: return "client.ip";
    case Source::method: return "method";
    case Source::host: return "host";
    case Source::path: return "path";
    case Source::path_segment: return "path[" + std::to_string(part.index) + "]";
    case Source::header: return "header." + part.name;
    case Source::cookie: return "cookie." + part.name;
    case Source::query: return "query." + part.name;
    case Source::tls: return std::string(kTlsKeys[part.index].name);
    case Source::fact: return part.name;
  }
  return {};
}

std::string KeyExpression::text() const {
  std::vector<std::string> texts;
  for (const auto& part : parts_) texts.push_back(text_of(part));
  return texts.size() == 1 ? texts.front() : "[" + config::join(texts) + "]";
}

}  // namespace weir

namespace weir::config {

namespace {

std::optional<KeyExpression> read_one(Reader& r) {
  r.describe(Shape::Kind::text);
  const auto text = r.scalar("a key", "write client.ip, header.x-user, cookie.sid … or a list of them");
  if (!text) return std::nullopt;
  auto parsed = KeyExpression::parse(*text);
  if (parsed) return std::move(*parsed);
  r.problem("'" + *text + "' is not a key", parsed.error());
  return std::nullopt;
}

}  // namespace

void Type<KeyExpression>::read(Reader& r, KeyExpression& out) {
  r.begin_list();
  r.take_one_alone();
  if (r.is_describing()) {
    Reader item = r.described_item();
    read_one(item);
  }
  if (const auto size = r.list_size()) {
    std::vector<KeyExpression> parts;
    for (size_t i = 0; i < *size; ++i) {
      Reader item = r.item(i);
      if (auto part = read_one(item)) parts.push_back(std::move(*part));
    }
    if (*size == 0) r.problem("is empty", "write at least one key");
    out = KeyExpression::join(std::move(parts));
  }
  r.write(out.empty() ? Value{} : Value::text(out.text()));
}

}  // namespace weir::config
