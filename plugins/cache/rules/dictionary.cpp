#include "plugins/cache/rules/dictionary.h"

#include <algorithm>

#include "base/text.h"
#include "http/syntax.h"

// A failure empties what is left, so that every loop ends; each function is the section of RFC 8941 that it names.

namespace weir::plugins {

namespace {

bool is_lower_alpha(char c) { return c >= 'a' && c <= 'z'; }
bool is_key_byte(char c) { return is_lower_alpha(c) || http::is_digit(c) || std::string_view("_-.*").contains(c); }
bool is_token_byte(char c) { return http::is_token_byte(c) || c == ':' || c == '/'; }
bool is_base64_byte(char c) { return http::is_alpha(c) || http::is_digit(c) || std::string_view("+/=").contains(c); }

}  // namespace

Dictionary::Dictionary(std::string_view field) : rest_(field) { skip_spaces(); }

bool Dictionary::take(char c) {
  if (!starts_with(c)) return false;
  rest_.remove_prefix(1);
  return true;
}

template <class Fits>
std::string_view Dictionary::take_while(Fits fits) {
  const auto end = std::ranges::find_if_not(rest_, fits);
  const auto taken = rest_.substr(0, static_cast<size_t>(end - rest_.begin()));
  rest_.remove_prefix(taken.size());
  return taken;
}

void Dictionary::skip_spaces() {
  take_while([](char c) { return c == ' '; });
}

void Dictionary::fail() {
  has_failed_ = true;
  rest_ = {};
}

/// Section 4.2.2.
std::optional<DictionaryMember> Dictionary::next() {
  if (rest_.empty()) return std::nullopt;
  DictionaryMember member{.key = key()};
  if (!take('=')) {
    parameters();
  } else if (starts_with('(')) {
    member.type = Type::list;
    list();
  } else {
    item(member);
    parameters();
  }
  next_member();
  if (has_failed_) return std::nullopt;
  return member;
}

/// To the next key: a comma at the end is a mistake.
void Dictionary::next_member() {
  const auto skip = [this] { take_while([](char c) { return c == ' ' || c == '\t'; }); };
  skip();
  if (rest_.empty()) return;
  if (!take(',')) return fail();
  skip();
  if (rest_.empty()) fail();
}

/// Section 4.2.3.3.
std::string_view Dictionary::key() {
  if (rest_.empty() || (!is_lower_alpha(rest_.front()) && rest_.front() != '*')) {
    fail();
    return {};
  }
  return take_while(is_key_byte);
}

/// Section 4.2.3.2.
void Dictionary::parameters() {
  while (take(';')) {
    skip_spaces();
    key();
    DictionaryMember ignored;
    if (take('=')) item(ignored);
  }
}

/// Section 4.2.1.2. What is in the list doesn't matter to anybody here.
void Dictionary::list() {
  take('(');
  for (;;) {
    skip_spaces();
    if (take(')')) return parameters();
    DictionaryMember ignored;
    item(ignored);
    parameters();
    if (has_failed_ || (!starts_with(' ') && !starts_with(')'))) return fail();
  }
}

/// Section 4.2.3.1.
void Dictionary::item(DictionaryMember& member) {
  const char first = rest_.empty() ? '\0' : rest_.front();
  if (first == '-' || http::is_digit(first)) return number(member);
  if (first == '"') return string(member);
  if (first == '?') return boolean(member);
  if (first == ':') {
    member.type = Type::bytes;
    return bytes();
  }
  if (first != '*' && !http::is_alpha(first)) return fail();
  member.type = Type::token;
  member.text = take_while(is_token_byte);
}

/// Section 4.2.4.
void Dictionary::number(DictionaryMember& member) {
  constexpr size_t kMostDigits = 15;
  constexpr size_t kMostWhole = 12;  // of a decimal
  constexpr size_t kMostFraction = 3;
  const bool is_negative = take('-');
  const auto whole = take_while(http::is_digit);
  if (whole.empty() || whole.size() > kMostDigits) return fail();
  member.type = Type::integer;
  member.number = static_cast<int64_t>(parse_decimal(whole).value_or(0)) * (is_negative ? -1 : 1);
  if (!take('.')) return;
  member.type = Type::decimal;
  const auto fraction = take_while(http::is_digit);
  if (whole.size() > kMostWhole || fraction.empty() || fraction.size() > kMostFraction) fail();
}

/// Section 4.2.5.
void Dictionary::string(DictionaryMember& member) {
  member.type = Type::string;
  take('"');
  for (size_t at = 0; at < rest_.size(); ++at) {
    const char c = rest_[at];
    if (c == '"') {
      member.text = rest_.substr(0, at);
      return rest_.remove_prefix(at + 1);
    }
    if (c < ' ' || c > '~') break;
    if (c != '\\') continue;
    ++at;
    if (at == rest_.size() || (rest_[at] != '"' && rest_[at] != '\\')) break;
  }
  fail();
}

/// Section 4.2.7.
void Dictionary::bytes() {
  take(':');
  take_while(is_base64_byte);
  if (!take(':')) fail();
}

/// Section 4.2.8.
void Dictionary::boolean(DictionaryMember& member) {
  take('?');
  if (!starts_with('0') && !starts_with('1')) return fail();
  member.type = Type::boolean;
  member.number = take('1') ? 1 : 0;
  if (member.number == 0) take('0');
}

}  // namespace weir::plugins
