#pragma once

#include <string>
#include <vector>

#include "config/shape.h"

namespace weir::config {

/// One row of the reference. `type`, `fallback` (the default) and `about` may have words in `backquotes`.
struct SettingRow {
  std::string name;
  std::string type;
  std::string fallback;  // empty: none worth showing
  std::string about;
};

/// The documentation of one block of the configuration file.
struct Section {
  std::string path;  // "listeners[].tls"; empty: the file itself
  std::vector<std::string> paragraphs;
  std::vector<SettingRow> settings;
};

/// All blocks, each after the block that it stands in.
std::vector<Section> sections_of(const Description& description);

}  // namespace weir::config
