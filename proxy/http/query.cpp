#include "http/query.h"

#include "http/syntax.h"

namespace weir::http {

namespace {

// Takes one character, decoded, off the front of `text`.
char next_decoded(std::string_view& text) {
  if (const int byte = escaped_byte(text); byte >= 0) {
    text.remove_prefix(3);
    return static_cast<char>(byte);
  }
  const char c = text.front() == '+' ? ' ' : text.front();
  text.remove_prefix(1);
  return c;
}

bool decodes_to(std::string_view raw, std::string_view name) {
  while (!raw.empty() && !name.empty()) {
    if (next_decoded(raw) != name.front()) return false;
    name.remove_prefix(1);
  }
  return raw.empty() && name.empty();
}

}  // namespace

std::optional<std::string_view> find_parameter(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const auto ampersand = query.find('&');
    const auto pair = query.substr(0, ampersand);
    query.remove_prefix(ampersand == std::string_view::npos ? query.size() : ampersand + 1);
    const auto equals = pair.find('=');
    if (pair.empty() || !decodes_to(pair.substr(0, equals), name)) continue;
    return equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
  }
  return std::nullopt;
}

std::string_view decode_parameter(std::string_view raw, Arena& arena) {
  if (raw.find_first_of("%+") == std::string_view::npos) return raw;
  auto* const text = static_cast<char*>(arena.bump(raw.size(), 1));
  char* to = text;
  while (!raw.empty()) *to++ = next_decoded(raw);
  return {text, static_cast<size_t>(to - text)};
}

}  // namespace weir::http
