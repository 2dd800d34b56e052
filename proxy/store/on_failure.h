#pragma once

#include <cstdint>

namespace weir::store {

/// What a feature does when its store is gone: the choice between availability and consistency.
enum class OnFailure : uint8_t {
  allow,  // as though the store had said yes
  deny,   // 503 with Retry-After
  local,  // this process' share, out of the embedded store
};

}  // namespace weir::store
