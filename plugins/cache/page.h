#pragma once

#include "exchange/admin_page.h"
#include "exchange/state_slots.h"

namespace weir::plugins {

/// GET /cache: the caches of the process and what they hold. POST /cache/purge: an order to forget, for one or all.
AdminPage cache_page(StateSlots& slots);

}  // namespace weir::plugins
