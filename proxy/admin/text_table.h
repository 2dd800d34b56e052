#pragma once

#include <string>
#include <vector>

namespace weir::admin {

/// Rows of equally many cells, aligned in columns two blanks apart; `is_number` says which columns stand to the right.
template <class Row, class IsNumber>
std::string text_table(const std::vector<Row>& rows, IsNumber is_number) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(row.size());
    for (size_t i = 0; i < row.size(); ++i) widths[i] = row[i].size() > widths[i] ? row[i].size() : widths[i];
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string blanks(widths[i] - row[i].size(), ' ');
      line += (i > 0 ? "  " : "") + (is_number(i) ? blanks + row[i] : row[i] + blanks);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

}  // namespace weir::admin
