#include <fcntl.h>
#include <unistd.h>

#include "cli/cli.h"

namespace {

/// A standard stream that the parent closed would become the first descriptor that Weir opens, and receive the log.
void reserve_standard_streams() {
  int fd = 0;
  do fd = ::open("/dev/null", O_RDWR);
  while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd > STDERR_FILENO) ::close(fd);
}

}  // namespace

int main(int argc, char** argv) {
  reserve_standard_streams();
  return weir::cli::run(argc, argv);
}
