#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "http/headers.h"

namespace weir::plugins {

/// Which fields of a head a list of names has ("a, b", as in private="a, b"), in any case. The list is read once,
/// however many fields there are. Views of the head.
class NamedFields {
 public:
  NamedFields(std::string_view list, const http::Headers& headers, Arena& arena);
  /// `name`: of a field of that head.
  bool has(std::string_view name) const;

 private:
  struct Place {
    std::string_view name;  // null data: free
    uint64_t hash = 0;
    bool is_named = false;
  };
  Place& place_of(std::string_view name) const;

  std::span<Place> places_;  // by hash, open addressing; none without a list
};

}  // namespace weir::plugins
