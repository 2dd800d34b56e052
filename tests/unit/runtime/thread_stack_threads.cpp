#include "runtime/thread_stack.h"

#include <dlfcn.h>
#include <doctest/doctest.h>
#include <execinfo.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <thread>

using namespace weir::runtime;
using namespace std::chrono_literals;

namespace {
std::atomic<bool> is_held = false, is_inside = false;
}

/// In the place of the C library's: the test can hold a thread that is telling its stack.
extern "C" int backtrace(void** frames, int most) {
  static const auto real = reinterpret_cast<int (*)(void**, int)>(::dlsym(RTLD_NEXT, "backtrace"));
  is_inside = true;
  while (is_held) {
  }
  return real(frames, most);
}

namespace {

/// A thread that does nothing until the end of the test, with some signals blocked first.
struct Sleeper {
  explicit Sleeper(bool blocks) : is_blocking(blocks) {
    while (id == 0) std::this_thread::yield();
  }
  ~Sleeper() {
    must_end = true;
    thread.join();
  }
  void sleep() {
    sigset_t urgent;
    sigemptyset(&urgent);
    sigaddset(&urgent, SIGURG);
    pthread_sigmask(is_blocking ? SIG_BLOCK : SIG_UNBLOCK, &urgent, nullptr);
    id = ::gettid();
    while (!must_end) {
      std::this_thread::sleep_for(1ms);
      if (!is_blocking) pthread_sigmask(SIG_UNBLOCK, &urgent, nullptr);
    }
  }
  /// The stack, once the thread answers again.
  std::string stack_in_the_end() const {
    std::string stack;
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (stack.empty() && std::chrono::steady_clock::now() < end) stack = stack_of(id, 200ms);
    return stack;
  }

  std::atomic<bool> is_blocking, must_end = false;
  std::atomic<pid_t> id = 0;
  std::thread thread{[this] { sleep(); }};
};

}  // namespace

TEST_CASE("thread stack: a thread that takes no signals has none, and has one once it takes them again") {
  prepare_stacks();
  Sleeper sleeper(true);
  CHECK(stack_of(sleeper.id, 20ms) == "");
  sleeper.is_blocking = false;  // the first request arrives now, too late
  CHECK(sleeper.stack_in_the_end() != "");
}

TEST_CASE("thread stack: an answer that comes after its time blocks none of the later ones") {
  prepare_stacks();
  Sleeper late(false), other(false);
  is_inside = false;
  is_held = true;
  CHECK(stack_of(late.id, 20ms) == "");
  while (!is_inside) std::this_thread::yield();
  CHECK(stack_of(other.id, 20ms) == "");  // one answer at a time
  is_held = false;
  CHECK(other.stack_in_the_end() != "");
  CHECK(late.stack_in_the_end() != "");
}
