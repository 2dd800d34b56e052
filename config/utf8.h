#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir::config {

/// The position of the first byte that isn't UTF-8 or is a control character other than tab, LF and CR; the
/// text's size when all is well.
size_t first_unprintable(std::string_view text);

/// Whether logs, header fields, metrics and URLs can carry `text` as a name: not empty, valid, without control
/// characters, line separators, '/' and blanks at its ends.
bool is_printable_name(std::string_view text);

/// `text` with its control characters as escapes: \x0d.
std::string without_controls(std::string_view text);

/// Bytes of the character at the start of a non-empty, valid `text`.
size_t character_size(std::string_view text);
size_t count_characters(std::string_view text);

/// Columns that the character at the start of `text` takes on a terminal: 0, 1 or 2. A tab counts 1.
size_t display_width(std::string_view text);

}  // namespace weir::config
