#include "runtime/last_resort.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

using namespace weir::runtime;

namespace {

int told[2];

/// As the process's own handler: tells that it was called.
void tell(int) { (void)!::write(told[1], "s", 1); }

void await_byte() {
  char byte;
  REQUIRE(::read(told[0], &byte, 1) == 1);
}

/// A process whose only thread never gets to what its handlers ask for.
pid_t stuck_process() {
  REQUIRE(::pipe(told) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGTERM, tell);
    const LastResort last_resort({SIGTERM});
    tell(0);
    for (;;) ::pause();
  }
  await_byte();
  return child;
}

}  // namespace

TEST_CASE("last resort: two signals end a process whose threads are stuck, and its handler was called for both") {
  const pid_t child = stuck_process();
  ::kill(child, SIGTERM);
  await_byte();
  int status = 0;
  CHECK(::waitpid(child, &status, WNOHANG) == 0);  // one signal is left to the process
  ::kill(child, SIGTERM);
  await_byte();
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 128 + SIGTERM);
}
