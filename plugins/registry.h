#pragma once

#include "config/reader.h"
#include "exchange/admin_page.h"
#include "exchange/chain.h"
#include "exchange/filter_context.h"
#include "exchange/gate_factory.h"
#include "exchange/request_body_settings.h"

namespace weir::plugins {

/// Every filter there is, by the name it has under `filters:`: the one explicit list. Hand it to the loader:
/// `tables.add(plugins::filters())`; a room then reads `filters:` as a std::vector<config::Tagged<FilterFactory>>.
const config::Tags<FilterFactory>& filters();

/// What a filter of a chain does, in a line, by the name of its link.
std::string_view about_filter(std::string_view name);

/// Adds what a route's `request_body` asks for to the filters of its chain, in front of the first that acts
/// on behalf of the upstream.
void add_request_body_buffer(const RequestBodySettings& settings, FilterContext& context,
                             std::vector<Chain::Link>& links);

/// What plugins add to an upstream's block, to decide which attempts may go there.
const config::Tags<GateFactory>& gates();

/// What plugins add to the admin API, over the state in `slots`.
std::vector<AdminPage> admin_pages(StateSlots& slots);

}  // namespace weir::plugins
