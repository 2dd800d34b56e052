#pragma once

#include <expected>

#include "base/error.h"

namespace weir {

/// The outcome of anything in which a peer, a file or the network can fail.
template <class T = void>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(ErrorCode code, Side side, std::string_view detail,
                                   RetrySafe retry = RetrySafe::no) {
  return std::unexpected(Error{code, side, detail, retry});
}

}  // namespace weir
