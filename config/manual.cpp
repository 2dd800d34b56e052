#include "config/roff.h"
#include "config/schema.h"
#include "config/sections.h"

namespace weir::config {

namespace {

constexpr const char* kValues =
    "The file is YAML. Durations are written `250ms`, `2s`, `5m`, `1h`; sizes `64KiB`, `10MiB`; rates `100/second`; "
    "shares `10%` or `0.1`. `${NAME}` and `${NAME:-default}` in a value stand for a variable of the environment. "
    "Unknown and duplicate settings are errors: `weir check` prints every one with its place.";
constexpr const char* kNotation =
    "The sections below describe one block each. `NAME` stands for a name of your own, `[]` for each member of a list.";

std::string setting(const SettingRow& row) {
  std::string out = ".TP\n" + roff("`" + row.name + "`") + "\n";
  if (!row.about.empty()) out += roff(row.about) + "\n.br\n";
  out += roff("(" + row.type);
  if (row.fallback == "required") out += "; required";
  else if (!row.fallback.empty()) out += roff("; default " + row.fallback);
  return out + ")\n";
}

std::string section(const Section& section) {
  std::string out = section.path.empty() ? ".SH SETTINGS\n" : ".SS " + roff(section.path) + "\n";
  for (const auto& paragraph : section.paragraphs)
    out += (&paragraph == section.paragraphs.data() ? "" : ".PP\n") + roff(paragraph) + "\n";
  for (const auto& row : section.settings) out += setting(row);
  return out;
}

}  // namespace

std::string manual_page(const Description& description, std::string_view version) {
  std::string out = roff_title("weir.yaml", 5, version, "File Formats");
  out += ".SH NAME\nweir.yaml \\- configuration of the HTTP reverse proxy weir(1)\n";
  out += ".SH DESCRIPTION\n" + roff(kValues) + "\n.PP\n" + roff(kNotation) + "\n";
  for (const auto& part : sections_of(description)) out += section(part);
  return out + ".SH SEE ALSO\n.BR weir (1)\n";
}

}  // namespace weir::config
