#include "config/roff.h"

#include <algorithm>

namespace weir::config {

std::string roff(std::string_view text) {
  std::string out;
  bool is_bold = false;
  for (const char c : text) {
    const bool starts_a_line = out.empty() || out.back() == '\n';
    switch (c) {
      case '\\': out += "\\e"; break;
      case '-': out += "\\-"; break;
      case '.':
      case '\'': out += starts_a_line ? std::string("\\&") + c : std::string(1, c); break;
      case '`':
        is_bold = !is_bold;
        out += is_bold ? "\\fB" : "\\fR";
        break;
      default: out += c;
    }
  }
  return is_bold ? out + "\\fR" : out;
}

std::string roff_title(std::string_view page, int section, std::string_view version, std::string_view manual) {
  std::string upper(page);
  std::ranges::transform(upper, upper.begin(), [](char c) { return c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c; });
  return ".TH " + upper + " " + std::to_string(section) + " \"\" \"weir " + std::string(version) + "\" \"" +
         std::string(manual) + "\"\n";
}

}  // namespace weir::config
