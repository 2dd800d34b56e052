#include "cli/cli.h"
#include "runtime/supervisor.h"

namespace weir::cli {

int run_proxy(const RunArguments& arguments) {
  runtime::Supervisor supervisor(
      {arguments.file, arguments.join ? runtime::SocketSet::Join::yes : runtime::SocketSet::Join::no});
  return supervisor.run();
}

}  // namespace weir::cli
