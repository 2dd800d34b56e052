#pragma once

#include <cstddef>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace re2 {
class RE2;
}

namespace weir::routing {

enum class Case : bool { sensitive, ignored };

/// A regular expression that matches in linear time, always against all of a text. Bytes, not characters. Immutable;
/// copies share the compiled program.
class Regex {
 public:
  static constexpr size_t kMostGroups = 9;

  /// What is wrong with the pattern otherwise.
  static std::expected<Regex, std::string> compile(std::string_view pattern, Case letters = Case::sensitive);

  bool matches(std::string_view text) const;
  /// Fills groups[0] with all of the text and groups[n] with what the n-th parenthesis matched; no malloc.
  bool match(std::string_view text, std::span<std::string_view, kMostGroups + 1> groups) const;
  /// False when no text that begins with `first` can match.
  bool may_begin_with(char first) const;
  /// Parentheses that capture.
  size_t groups() const;
  const std::string& pattern() const;

 private:
  explicit Regex(std::shared_ptr<const re2::RE2> program) : program_(std::move(program)) {}
  std::shared_ptr<const re2::RE2> program_;
};

/// Several expressions, all tried in one pass over the text. Immutable, shared by all workers.
class RegexSet {
 public:
  RegexSet() noexcept;
  RegexSet(RegexSet&&) noexcept;
  RegexSet& operator=(RegexSet&&) noexcept;
  ~RegexSet();

  /// All patterns compile; their positions are what `matches` tells.
  explicit RegexSet(std::vector<Regex> expressions, Case letters = Case::sensitive);

  /// The positions of those that match all of `text`, in rising order. Valid until the next call on this thread.
  std::span<const int> matches(std::string_view text) const;

 private:
  struct Program;
  std::vector<Regex> expressions_;
  std::unique_ptr<const Program> program_;
};

}  // namespace weir::routing
