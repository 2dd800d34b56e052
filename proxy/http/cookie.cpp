#include "http/cookie.h"

namespace weir::http {

namespace {

std::string_view unquoted(std::string_view value) {
  if (value.size() < 2 || !value.starts_with('"') || !value.ends_with('"')) return value;
  return value.substr(1, value.size() - 2);
}

std::optional<std::string_view> find_in(std::string_view cookies, std::string_view name) {
  while (!cookies.empty()) {
    const auto semicolon = cookies.find(';');
    const auto pair = trim(cookies.substr(0, semicolon));
    cookies.remove_prefix(semicolon == std::string_view::npos ? cookies.size() : semicolon + 1);
    const auto equals = pair.find('=');
    if (equals == std::string_view::npos || trim(pair.substr(0, equals)) != name) continue;
    return unquoted(trim(pair.substr(equals + 1)));
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string_view> find_cookie(const Headers& headers, std::string_view name) {
  for (const Header& header : headers) {
    if (header.field != Field::cookie) continue;
    if (const auto value = find_in(header.value, name)) return value;
  }
  return std::nullopt;
}

}  // namespace weir::http
