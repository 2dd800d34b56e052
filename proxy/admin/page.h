#pragma once

#include <memory>
#include <string>
#include <vector>

#include "exchange/exchange.h"

namespace weir::admin {

/// A text with its media type.
struct Page {
  std::string content_type;
  std::string text;
};

/// A page in pieces that a worker sends, and frees, one in each turn of its loop: a whole page of a large
/// configuration would stall it.
struct RenderedPage {
  static constexpr size_t kPiece = 64 * 1024;

  explicit RenderedPage(Page page);

  std::string content_type;
  std::vector<std::shared_ptr<const std::string>> pieces;
  size_t size = 0;  // bytes of all pieces
};

/// Answers with the page. `arena` copies nothing of it.
void respond_with(Exchange& exchange, RenderedPage page);

}  // namespace weir::admin
