#include "config/schema.h"
#include "config/sections.h"

namespace weir::config {

namespace {

/// Text for a table's cell.
std::string cell(std::string text) {
  for (size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) text.insert(at, "\\");
  return text;
}

std::string table(const std::vector<SettingRow>& settings) {
  std::string out = "| setting | type | default | what it is |\n|---|---|---|---|\n";
  for (const auto& row : settings) {
    out += "| `" + row.name + "` | " + cell(row.type) + " | " + cell(row.fallback) + " | " + cell(row.about) + " |\n";
  }
  return out;
}

}  // namespace

std::string reference_markdown(const Description& description) {
  std::string out;
  for (const auto& [path, paragraphs, settings] : sections_of(description)) {
    out += "\n## " + (path.empty() ? "The file" : "`" + path + "`") + "\n";
    for (const auto& paragraph : paragraphs) out += "\n" + paragraph + "\n";
    if (!settings.empty()) out += "\n" + table(settings);
  }
  return out;
}

}  // namespace weir::config
