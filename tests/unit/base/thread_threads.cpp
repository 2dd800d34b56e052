#include "base/thread.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <string>

using namespace weir;

namespace {

std::string own_status() {
  std::ifstream file("/proc/self/task/" + std::to_string(::gettid()) + "/status");
  return {std::istreambuf_iterator<char>(file), {}};
}

bool blocks_term() {
  sigset_t blocked;
  return pthread_sigmask(SIG_BLOCK, nullptr, &blocked) == 0 && sigismember(&blocked, SIGTERM) == 1;
}

}  // namespace

TEST_CASE("thread: it has its name, gains no rights, and takes signals only if told so") {
  for (const auto takes : {TakesSignals::no, TakesSignals::yes}) {
    std::string status;
    bool is_blocked = false;
    start_thread("weir-test", takes, [&] {
      status = own_status();
      is_blocked = blocks_term();
    }).join();
    CHECK(status.starts_with("Name:\tweir-test\n"));
    CHECK(status.find("NoNewPrivs:\t1\n") != std::string::npos);
    CHECK(is_blocked == (takes == TakesSignals::no));
  }
  CHECK(own_status().find("NoNewPrivs:\t1\n") == std::string::npos);
}
