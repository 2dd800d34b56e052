#pragma once

#include "config/reader.h"
#include "exchange/admin_page.h"
#include "exchange/filter_context.h"
#include "exchange/gate_factory.h"

namespace weir::plugins {

/// Every filter there is, by the name it has under `filters:`: the one explicit list. Hand it to the loader:
/// `tables.add(plugins::filters())`; a room then reads `filters:` as a std::vector<config::Tagged<FilterFactory>>.
const config::Tags<FilterFactory>& filters();

/// What plugins add to an upstream's block, to decide which attempts may go there.
const config::Tags<GateFactory>& gates();

/// What plugins add to the admin API, over the state in `slots`.
std::vector<AdminPage> admin_pages(StateSlots& slots);

}  // namespace weir::plugins
