#include "base/thread.h"

#include <linux/capability.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <utility>

namespace weir {

namespace {

void block_signals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

/// Of the calling thread: a thread begins with the capabilities of the thread that starts it.
void give_up_rights() {
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (::geteuid() == 0) return;
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[2]{};
  ::syscall(SYS_capset, &header, none);
}

}  // namespace

std::thread start_thread(const std::string& name, TakesSignals takes_signals, std::move_only_function<void()> body) {
  return std::thread([name, takes_signals, body = std::move(body)]() mutable {
    ::pthread_setname_np(::pthread_self(), name.c_str());
    if (takes_signals == TakesSignals::no) block_signals();
    give_up_rights();
    body();
  });
}

}  // namespace weir
