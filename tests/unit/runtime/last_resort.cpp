#include "runtime/last_resort.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <optional>

using namespace weir::runtime;

namespace {

int told[2];

/// As the process's own handler: tells that it was called.
void tell(int) { (void)!::write(told[1], "s", 1); }

void await_byte() {
  char byte;
  REQUIRE(::read(told[0], &byte, 1) == 1);
}

/// A process whose only thread never gets to what its handlers ask for. The end may be set before.
pid_t stuck_process(std::optional<weir::Duration> end_after = {}) {
  REQUIRE(::pipe(told) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGTERM, tell);
    const LastResort last_resort({SIGTERM});
    if (end_after) LastResort::end_after(*end_after);
    tell(0);
    for (;;) ::pause();
  }
  await_byte();
  return child;
}

/// How the process ended, within a minute.
int status_of(pid_t child) {
  int status = 0;
  for (int i = 0; i < 6000 && ::waitpid(child, &status, WNOHANG) == 0; ++i) ::usleep(10'000);
  ::kill(child, SIGKILL);
  return status;
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
  status = status_of(child);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 128 + SIGTERM);
}

TEST_CASE("last resort: one signal ends a process whose threads are stuck once its time is over") {
  const pid_t child = stuck_process(std::chrono::seconds(2));
  ::kill(child, SIGTERM);
  const int status = status_of(child);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 128 + SIGTERM);
}
