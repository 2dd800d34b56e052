#pragma once

#include "config/reader.h"
#include "exchange/filter_context.h"

namespace weir::plugins {

/// Every filter there is, by the name it has under `filters:`: the one explicit list. Hand it to the loader:
/// `tables.add(plugins::filters())`; a room then reads `filters:` as a std::vector<config::Tagged<FilterFactory>>.
const config::Tags<FilterFactory>& filters();

}  // namespace weir::plugins
