#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/reader.h"
#include "exchange/exchange.h"

namespace weir {

/// Ways in which an exchange goes wrong, by the words that a configuration has for them: `on: [timeout, 503]`. They
/// concern what it came to after `next`. Immutable after parsing.
class Conditions {
 public:
  /// "connect_failure, reset, …", for messages and the reference.
  static const std::string& words();

  Conditions() = default;
  /// Each must be known.
  Conditions(std::initializer_list<std::string_view> words);
  /// One more; false when it isn't a word, nor a status from 400 to 599.
  bool add(std::string_view word);

  /// May a status be that of an error of Weir's own making which no endpoint had a part in?
  enum class Own : bool { no, yes };
  /// The first word that holds, as it was written; "" when none does. Lives as long as this.
  std::string_view match(const Exchange& exchange, Own own = Own::yes) const;
  bool empty() const { return words_.empty(); }
  /// "[reset, 503]"
  std::string text() const;

 private:
  struct Word;
  static const Word* find(std::string_view name);
  struct Wanted {
    std::string text;
    const Word* word = nullptr;  // null: a status
    uint16_t status = 0;
  };
  std::vector<Wanted> words_;
};

}  // namespace weir

namespace weir::config {

/// A word, or a list of them.
template <>
struct Type<Conditions> {
  static void read(Reader& r, Conditions& out);
};

}  // namespace weir::config
