#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "http/message.h"

namespace weir::plugins {

/// A head's fields with the memory that they need.
struct Fields {
  using Lines = std::initializer_list<std::pair<std::string_view, std::string_view>>;
  Fields(Lines lines) {
    for (const auto& [name, value] : lines) headers.add(name, value);
  }
  operator http::Headers&() { return headers; }
  operator const http::Headers&() const { return headers; }

  /// "name: value" of each, a line each.
  std::string text() const {
    std::string text;
    for (const auto& header : headers) text += std::string(header.name) + ": " + std::string(header.value) + "\n";
    return text;
  }

  BlockPool pool{16 * 1024};
  Arena arena{pool};
  http::Headers headers{arena};
};

}  // namespace weir::plugins
