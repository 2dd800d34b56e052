#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"

namespace weir::config {

/// A limit on a number, a duration (ns) or a size (bytes), and how to print it.
struct Bound {
  double number = 0;
  std::string shown;
};

/// What a field asks for beyond its type. Bounds and words concern each element of a list, `non_empty` the list
/// (or the text) itself.
struct Rules {
  std::optional<Bound> least;
  std::optional<Bound> most;
  std::vector<std::string> words;  // the only texts allowed; empty = any
  std::string nothing;             // the word that stands for "no value" in a std::optional
  bool non_empty = false;
  bool secret = false;
  bool fields = false;
  bool list_of_one = false;
  bool no_variables = false;
  bool names = false;
  std::string without_keys;  // the hint for a text in which nothing is replaced; empty = any text

  Rules& operator+=(const Rules& more);
};

Rules at_least(double number);
Rules at_least(Duration least);
Rules at_least(Bytes least);
Rules at_most(double number);
Rules at_most(Duration most);
Rules at_most(Bytes most);
template <class T>
Rules in_range(T least, T most) {
  Rules rules = at_least(least);
  return rules += at_most(most);
}
Rules one_of(std::initializer_list<std::string_view> words);
/// `workers: auto`: this word leaves a std::optional without a value.
Rules or_word(std::string_view nothing);

inline const Rules non_empty{.non_empty = true};
inline const Rules secret{.secret = true};  // masked wherever the configuration is shown
/// Of a block whose keys are names of fields or parameters: those behind telling names (is_secret_name) are secrets.
inline const Rules field_values{.fields = true};
inline const Rules list_of_one{.list_of_one = true};  // `on: 503` is `on: [503]`
/// Variables of other proxies (`$host`, `%[src]`) are refused, with what Weir has instead; `$$host` is the text
/// "$host".
inline const Rules no_variables{.no_variables = true};
/// Nothing in this text is replaced: variables of other proxies and keys in braces are refused, with this hint.
Rules without_keys(std::string_view hint);
/// The text, or each key of a block, is a name that logs, fields, metrics and URLs can carry: printable, without '/'.
inline const Rules names{.names = true};

}  // namespace weir::config
