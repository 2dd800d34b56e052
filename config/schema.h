#pragma once

#include <string>
#include <string_view>

#include "config/shape.h"

namespace weir::config {

/// A JSON Schema (draft-07) for editors, as text.
std::string json_schema(const Description& description);
/// The tables of config/REFERENCE.md: a heading for each block, a row for each setting.
std::string reference_markdown(const Description& description);
/// The manual page weir.yaml(5), in man(7).
std::string manual_page(const Description& description, std::string_view version);

}  // namespace weir::config
