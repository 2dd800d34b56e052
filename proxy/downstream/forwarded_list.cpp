#include "downstream/forwarded_list.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "http/syntax.h"

// A quoted string is told from its end: its last quote has no backslash in front of it (or an even number), and so has
// its first one, which stands behind an equals sign.

namespace weir::downstream {

namespace {

constexpr std::string_view kSeparators = ";,";

void trim_right(std::string_view& text) {
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
}

/// Whether the byte behind `text` is escaped, inside a quoted string.
bool is_escaped_behind(std::string_view text) {
  const auto last = text.find_last_not_of('\\');
  return (text.size() - (last == std::string_view::npos ? 0 : last + 1)) % 2 != 0;
}

bool is_at_separator(std::string_view text) { return text.empty() || kSeparators.contains(text.back()); }

}  // namespace

bool ForwardedReader::next() {
  while (!is_at_end_) {
    member_ = {};
    const size_t end = left_.size();
    if (!take_member()) return false;
    const auto text = trim(field_.substr(left_.size(), end - left_.size()));
    if (left_.empty()) is_at_end_ = true;
    else left_.remove_suffix(1);  // the comma
    if (text.empty()) continue;
    read_from_ = static_cast<size_t>(text.data() - field_.data());
    return true;
  }
  return false;
}

/// Up to the comma on its left, which stays.
bool ForwardedReader::take_member() {
  for (bool is_alone = true;; is_alone = false) {
    Pair pair;
    if (!take_pair(pair)) return false;
    const bool is_last = left_.empty() || left_.back() == ',';
    if (!pair.name.empty()) {
      if (!note(pair)) return false;
    } else if (!is_alone || !is_last) {
      member_.is_unequivocal = false;  // a semicolon with nothing on one of its sides
    }
    if (is_last) return true;
    left_.remove_suffix(1);
  }
}

/// Up to the separator on its left, which stays. Without a name: there was none.
bool ForwardedReader::take_pair(Pair& pair) {
  trim_right(left_);
  if (is_at_separator(left_)) return true;
  const bool is_quoted = left_.back() == '"';
  if (!(is_quoted ? take_quoted(pair.value) : take_plain(pair.value))) return false;
  trim_right(left_);
  if (left_.empty() || left_.back() != '=') return false;
  const bool follows_sign = pair.value.data() == left_.data() + left_.size() + (is_quoted ? 1 : 0);
  pair.is_exact =
      follows_sign && !pair.value.empty() && pair.value.find_first_of("\"\\=;, \t") == std::string_view::npos;
  left_.remove_suffix(1);
  if (!left_.empty() && (left_.back() == ' ' || left_.back() == '\t')) pair.is_exact = false;
  trim_right(left_);
  const auto separator = left_.find_last_of(kSeparators);
  const auto from = separator == std::string_view::npos ? 0 : separator + 1;
  pair.name = trim(left_.substr(from));
  left_ = left_.substr(0, from);
  return http::is_token(pair.name);
}

bool ForwardedReader::take_quoted(std::string_view& value) {
  const auto inside = left_.substr(0, left_.size() - 1);
  if (is_escaped_behind(inside)) return false;
  for (size_t at = inside.rfind('"'); at != std::string_view::npos; at = inside.rfind('"', at - 1)) {
    if (!is_escaped_behind(inside.substr(0, at))) {
      value = inside.substr(at + 1);
      left_ = left_.substr(0, at);
      return true;
    }
    if (at == 0) break;
  }
  return false;
}

/// Unquoted. A token; but addresses with colons and brackets, which should be quoted, are understood.
bool ForwardedReader::take_plain(std::string_view& value) {
  const auto equals = left_.find_last_of("=;,\"\\");
  if (equals == std::string_view::npos || left_[equals] != '=') return false;
  value = trim(left_.substr(equals + 1));
  left_ = left_.substr(0, equals + 1);
  return true;
}

/// False when the member has told it already.
bool ForwardedReader::note(const Pair& pair) {
  struct Told {
    std::string_view name;
    std::string_view ForwardedMember::* value;
  };
  static constexpr std::array kTold{Told{"for", &ForwardedMember::node}, Told{"proto", &ForwardedMember::scheme},
                                    Told{"host", &ForwardedMember::host}};
  member_.is_unequivocal = member_.is_unequivocal && pair.is_exact;
  for (const auto& told : kTold) {
    if (pair.name.size() < told.name.size()) continue;
    if (!equals_ignoring_case(pair.name.substr(pair.name.size() - told.name.size()), told.name)) continue;
    if (pair.name.size() > told.name.size()) {
      if (told.name != "for")
        member_.is_unequivocal = false;  // a reader that searches for "host=" finds it in "xhost="
      continue;
    }
    auto& value = member_.*told.value;
    if (value.data()) return false;
    value = pair.value;
  }
  return true;
}

}  // namespace weir::downstream
