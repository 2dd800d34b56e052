#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "config/located.h"
#include "config/redaction.h"

namespace weir::config {

/// An error keeps a configuration from being served; a warning does not.
enum class Severity : uint8_t { error, warning };

/// One thing that is wrong with the configuration, and what to write instead.
struct Problem {
  Location at;
  std::string message;
  std::string hint;  // may be empty
  Severity severity = Severity::error;
};

/// Everything that is wrong with a configuration, from whichever stage finds it. Told at once, in the order of
/// the file, without secrets. Keeps the first thousand. Warnings are kept apart: only `warnings`, `warnings_text` and
/// `json` have them. One thread.
class Problems {
 public:
  /// Makes a source known, for its lines to be shown; the returned number goes into Location::file.
  uint32_t add_source(std::string name, std::string text);

  void add(Location at, std::string message, std::string hint = "");
  /// Something that works and is probably not what was meant: told by `weir check` and in the log, never a reason to
  /// refuse the configuration. The same one again is ignored.
  void warn(Location at, std::string message, std::string hint = "");

  /// The value at this place is a secret, also in problems that are already known. `text`: as a message may quote it.
  void hide(const Location& at, std::string text) { redaction_.hide(at, std::move(text)); }

  /// Forgets all but the first `count`: what came after something that made the rest meaningless.
  void drop_after(size_t count);

  /// No more are kept: their words aren't worth finding.
  bool is_full() const { return problems_.size() == kMost; }
  bool empty() const { return count_ == 0; }
  size_t size() const { return count_; }
  /// As they were added, with the secrets in them.
  const std::vector<Problem>& all() const { return problems_; }
  const std::vector<Problem>& warnings() const { return warnings_; }
  std::string_view file_of(const Problem& problem) const;

  /// Each of those that are kept, in the order of the file, with its place: `weir.yaml:6:17`.
  void for_each(const std::function<void(const Problem&, std::string_view place)>& visit) const;
  void for_each_warning(const std::function<void(const Problem&, std::string_view place)>& visit) const;
  /// For a terminal: each with its source line, a caret and a hint; then "weir.yaml: 2 problems". `outcome` ends that
  /// line: "nothing was changed".
  std::string text(std::string_view outcome = {}) const;
  /// The same of the warnings, without a last line; empty when there are none.
  std::string warnings_text() const;
  /// For `weir check --format=json`: [{"severity","file","line","column","length","path","message","hint"}], columns in
  /// characters; the warnings come last.
  std::string json() const;

 private:
  static constexpr size_t kMost = 1000;

  struct Source {
    std::string name;
    std::string text;
    std::vector<uint32_t> line_starts;
  };
  std::string_view line_of(const Location& at) const;
  static std::vector<const Problem*> sorted(const std::vector<Problem>& problems);
  Problem shown(const Problem& problem) const;
  std::string excerpt(const Location& at) const;
  std::string place_of(const Problem& problem) const;
  std::string heading(const Problem& problem) const;
  std::string explained(const Problem& problem) const;

  std::vector<Source> sources_;
  std::vector<Problem> problems_;
  std::vector<Problem> warnings_;
  Redaction redaction_;
  size_t count_ = 0;
};

}  // namespace weir::config
