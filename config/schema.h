#pragma once

#include <string>

#include "config/shape.h"

namespace weir::config {

/// A JSON Schema (draft-07) for editors, as text.
std::string json_schema(const Description& description);
/// The tables of config/REFERENCE.md: a heading for each block, a row for each setting.
std::string reference_markdown(const Description& description);

}  // namespace weir::config
