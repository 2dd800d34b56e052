#include "config/rules.h"

#include <charconv>

namespace weir::config {

namespace {

Bound bound(double number) {
  char digits[330];
  const auto end = std::to_chars(digits, digits + sizeof digits, number, std::chars_format::fixed).ptr;
  return {number, std::string(digits, end)};
}
Bound bound(Duration value) { return {static_cast<double>(value.count()), format(value)}; }
Bound bound(Bytes value) { return {static_cast<double>(value.count), format(value)}; }

}  // namespace

Rules& Rules::operator+=(const Rules& more) {
  if (more.least) least = more.least;
  if (more.most) most = more.most;
  words.insert(words.end(), more.words.begin(), more.words.end());
  if (!more.nothing.empty()) nothing = more.nothing;
  non_empty |= more.non_empty;
  secret |= more.secret;
  fields |= more.fields;
  list_of_one |= more.list_of_one;
  no_variables |= more.no_variables;
  names |= more.names;
  if (!more.without_keys.empty()) without_keys = more.without_keys;
  return *this;
}

Rules at_least(double number) { return {.least = bound(number)}; }
Rules at_least(Duration least) { return {.least = bound(least)}; }
Rules at_least(Bytes least) { return {.least = bound(least)}; }
Rules at_most(double number) { return {.most = bound(number)}; }
Rules at_most(Duration most) { return {.most = bound(most)}; }
Rules at_most(Bytes most) { return {.most = bound(most)}; }
Rules one_of(std::initializer_list<std::string_view> words) { return {.words = {words.begin(), words.end()}}; }
Rules without_keys(std::string_view hint) { return {.without_keys = std::string(hint)}; }
Rules or_word(std::string_view nothing) { return {.nothing = std::string(nothing)}; }

}  // namespace weir::config
