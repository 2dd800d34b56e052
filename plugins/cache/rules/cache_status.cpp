#include "plugins/cache/rules/cache_status.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/arena_text.h"
#include "http/syntax.h"

namespace weir::plugins {

namespace {

/// What all but the texts takes at most.
constexpr size_t kMostFixed = 128;
constexpr size_t kMostPerByte = 3;

ArenaText& operator<<(ArenaText& to, int64_t number) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.begin(), digits.end(), number).ptr;
  return to << std::string_view(digits.begin(), end);
}

constexpr std::string_view name_of(CacheStatus::Forward forward) {
  constexpr std::array<std::string_view, 9> kNames{"",     "bypass",  "method", "uri-miss", "vary-miss",
                                                   "miss", "request", "stale",  "partial"};
  return kNames[static_cast<size_t>(forward)];
}

/// RFC 8941 section 3.3.4.
bool is_token(std::string_view text) {
  if (text.empty() || (!http::is_alpha(text.front()) && text.front() != '*')) return false;
  return std::ranges::all_of(text, [](char c) { return http::is_token_byte(c) || c == ':' || c == '/'; });
}

bool is_plain(char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; }

/// RFC 8941 section 3.3.3; what a string can't hold is percent-encoded.
void add_string(ArenaText& to, std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  to << "\"";
  while (!text.empty()) {
    const auto plain = static_cast<size_t>(std::ranges::find_if_not(text, is_plain) - text.begin());
    to << text.substr(0, plain);
    if (plain == text.size()) break;
    const auto byte = static_cast<unsigned char>(text[plain]);
    if (byte == '"' || byte == '\\') to << "\\" << text.substr(plain, 1);
    else to << "%" << kHex.substr(byte / 16, 1) << kHex.substr(byte % 16, 1);
    text.remove_prefix(plain + 1);
  }
  to << "\"";
}

void add_token_or_string(ArenaText& to, std::string_view text) {
  if (is_token(text)) to << text;
  else add_string(to, text);
}

/// What means something for a request that went on only (RFC 9211 sections 2.3, 2.5 and 2.6).
void add_forward(ArenaText& to, const CacheStatus& status) {
  to << "; fwd=" << name_of(status.forward);
  if (status.forward_status) to << "; fwd-status=" << int64_t{*status.forward_status};
}

void add_results(ArenaText& to, const CacheStatus& status) {
  if (status.is_stored) to << "; stored";
  if (status.is_collapsed) to << "; collapsed";
}

/// The integers of RFC 8941 section 3.3.1.
int64_t bounded(int64_t seconds) {
  constexpr int64_t kMost = 999'999'999'999'999;
  return std::clamp(seconds, -kMost, kMost);
}

}  // namespace

std::string_view to_text(const CacheStatus& status, std::string_view name, Arena& arena) {
  const bool is_hit = status.forward == CacheStatus::Forward::no;
  const auto bytes = name.size() + status.key.size() + status.detail.size();
  ArenaText to(arena, kMostFixed + kMostPerByte * bytes);
  add_token_or_string(to, name);
  if (is_hit) to << "; hit";
  else if (status.forward != CacheStatus::Forward::nowhere) add_forward(to, status);
  if (status.ttl) to << "; ttl=" << bounded(*status.ttl);
  if (!is_hit) add_results(to, status);
  if (!status.key.empty()) {
    to << "; key=";
    add_string(to, status.key);
  }
  if (!status.detail.empty()) {
    to << "; detail=";
    add_token_or_string(to, status.detail);
  }
  return to.text();
}

void add_cache_status(http::Headers& response, const CacheStatus& status, std::string_view name) {
  response.add("Cache-Status", to_text(status, name, response.arena()), http::Field::other);
}

}  // namespace weir::plugins
