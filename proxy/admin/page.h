#pragma once

#include <memory>
#include <string>

#include "exchange/exchange.h"

namespace weir::admin {

/// A text with its media type.
struct Page {
  std::string content_type;
  std::string text;
};
/// A page that all share who asked for it at the same time: a worker sends a piece in each turn of its loop, since the
/// whole page of a large configuration would stall it.
using PagePtr = std::shared_ptr<const Page>;

/// Answers with the page.
void respond_with(Exchange& exchange, PagePtr page);

}  // namespace weir::admin
