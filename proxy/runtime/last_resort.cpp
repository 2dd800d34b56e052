#include "runtime/last_resort.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>

namespace weir::runtime {

namespace {

using Handler = void (*)(int);
constexpr unsigned kPatience = 2;  // seconds

// Signal handlers reach nothing but these.
constinit std::atomic<int> count{0};
constinit std::atomic<Handler> before[NSIG] = {};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<Handler>::is_always_lock_free);
constinit std::atomic<int> last{0};

extern "C" void end_process(int) { ::_exit(128 + last.load()); }

extern "C" void count_signal(int number) {
  last.store(number);
  if (count.fetch_add(1) == 1) ::alarm(kPatience);
  before[number].load()(number);
}

}  // namespace

void LastResort::end_after(Duration time) {
  ::alarm(static_cast<unsigned>(std::chrono::ceil<std::chrono::seconds>(time).count()));
  if (count.load() >= 2) ::alarm(kPatience);  // the second signal has come, perhaps just now
}

void LastResort::call_off() { ::alarm(0); }

LastResort::LastResort(std::initializer_list<int> numbers) {
  count.store(0);
  struct sigaction alarm{};
  alarm.sa_handler = end_process;
  ::sigaction(SIGALRM, &alarm, nullptr);
  for (const int number : numbers) {
    struct sigaction action{};
    if (::sigaction(number, nullptr, &action) != 0 || action.sa_flags & SA_SIGINFO) continue;
    if (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN) continue;
    before[number].store(action.sa_handler);
    action.sa_handler = count_signal;
    ::sigaction(number, &action, nullptr);
  }
}

}  // namespace weir::runtime
