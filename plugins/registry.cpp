#include "plugins/registry.h"

#include "plugins/headers/headers.h"
#include "plugins/request_id/request_id.h"

namespace weir::plugins {

const config::Tags<FilterFactory>& filters() {
  static const config::Tags<FilterFactory> all = {
      headers_filter(),
      request_id_filter(),
  };
  return all;
}

}  // namespace weir::plugins
