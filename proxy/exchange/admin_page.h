#pragma once

#include <functional>
#include <memory>
#include <string>

#include "async/clock.h"
#include "exchange/filter.h"

namespace weir {

/// A part of the admin API that a plugin brings: `list` is what GET and HEAD of `path` show, `origin` answers all other
/// requests for `path` and below it.
struct AdminPage {
  std::string path;   // "/circuit_breakers"
  std::string about;  // its lines in the index, each with its end of line
  std::shared_ptr<const Origin> origin;
  /// JSON. Not on a thread that serves requests: it may be long. Unset: `origin` answers these, too.
  std::function<std::string(const Clock& clock)> list{};
};

}  // namespace weir
