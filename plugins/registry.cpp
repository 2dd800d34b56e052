#include "plugins/registry.h"

#include "plugins/concurrency_limit/concurrency_limit.h"
#include "plugins/grpc_web/grpc_web.h"
#include "plugins/headers/headers.h"
#include "plugins/rate_limit/rate_limit.h"
#include "plugins/request_id/request_id.h"

namespace weir::plugins {

const config::Tags<FilterFactory>& filters() {
  static const config::Tags<FilterFactory> all = {
      concurrency_limit_filter(), grpc_web_filter(), headers_filter(), rate_limit_filter(), request_id_filter(),
  };
  return all;
}

}  // namespace weir::plugins
