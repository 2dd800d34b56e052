#include "plugins/registry.h"

#include "plugins/grpc_web/grpc_web.h"
#include "plugins/headers/headers.h"
#include "plugins/request_id/request_id.h"

namespace weir::plugins {

const config::Tags<FilterFactory>& filters() {
  static const config::Tags<FilterFactory> all = {
      grpc_web_filter(),
      headers_filter(),
      request_id_filter(),
  };
  return all;
}

}  // namespace weir::plugins
