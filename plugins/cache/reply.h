#pragma once

#include "exchange/exchange.h"
#include "plugins/cache/storage/object.h"

namespace weir::plugins {

/// Answers from a stored response as RFC 9110 and 9111 have it: 304 to who has it already, the range that was asked
/// for, the head alone to HEAD, else all of it; with its Age. False when it passes by and can't be had from its start
/// any more: then nothing has changed.
bool reply(Exchange& exchange, const ObjectPtr& object);

}  // namespace weir::plugins
