#pragma once

#include <memory>
#include <string>

#include "exchange/filter.h"

namespace weir {

/// A part of the admin API that a plugin brings: `origin` answers all requests for `path` and below it.
struct AdminPage {
  std::string path;   // "/circuit_breakers"
  std::string about;  // its lines in the index, each with its end of line
  std::shared_ptr<const Origin> origin;
};

}  // namespace weir
