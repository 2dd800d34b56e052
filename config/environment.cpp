#include "config/environment.h"

#include <cstdlib>

#include "config/redaction.h"

namespace weir::config {

std::optional<std::string> process_environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (!value) return std::nullopt;
  return value;
}

namespace {

void put(std::string_view value, Expanded& out) {
  out.text += value;
  out.masked += kMask;
  out.values.emplace_back(value);
}

void put_variable(std::string_view reference, const Environment& environment, Expanded& out) {
  const auto colon = reference.find(":-");
  const std::string name(reference.substr(0, colon));
  auto value = environment(name);
  // As in the shell: with `:-`, an empty variable counts as unset.
  const bool has_default = colon != std::string_view::npos;
  if (value && (!value->empty() || !has_default)) {
    put(*value, out);
  } else if (has_default) {
    put(reference.substr(colon + 2), out);
  } else if (out.missing.empty()) {
    out.missing = name.empty() ? "${}" : name;
  }
}

}  // namespace

Expanded expand(std::string_view text, const Environment& environment) {
  Expanded out;
  while (!text.empty()) {
    const auto dollar = text.find('$');
    out.text += text.substr(0, dollar);
    out.masked += text.substr(0, dollar);
    if (dollar == std::string_view::npos) break;
    text.remove_prefix(dollar);
    if (text.starts_with("${")) {
      const auto end = text.find('}');
      if (end == std::string_view::npos) {
        out.unclosed = true;
        return out;
      }
      put_variable(text.substr(2, end - 2), environment, out);
      text.remove_prefix(end + 1);
    } else {
      out.text += '$';
      out.masked += '$';
      text.remove_prefix(text.starts_with("$$") ? 2 : 1);
    }
  }
  return out;
}

}  // namespace weir::config
