#include "plugins/registry.h"

#include "plugins/grpc_web/grpc_web.h"
#include "plugins/headers/headers.h"
#include "plugins/rate_limit/rate_limit.h"
#include "plugins/request_id/request_id.h"

namespace weir::plugins {

const config::Tags<FilterFactory>& filters() {
  static const config::Tags<FilterFactory> all = {
  };
  return all;
}

}  // namespace weir::plugins
