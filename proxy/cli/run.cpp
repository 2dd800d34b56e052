#include <exception>

#include "base/log.h"
#include "cli/cli.h"
#include "runtime/supervisor.h"

namespace weir::cli {

int run_proxy(const RunArguments& arguments) {
  try {
    runtime::Supervisor supervisor(
        {arguments.file, arguments.join ? runtime::SocketSet::Join::yes : runtime::SocketSet::Join::no});
    return supervisor.run();
  } catch (const std::exception& error) {  // the kernel refuses the first descriptors
    log::error("start_failed", {{"reason", error.what()}});
    return 1;
  }
}

}  // namespace weir::cli
