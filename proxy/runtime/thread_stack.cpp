#include "runtime/thread_stack.h"

#include <execinfo.h>
#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <fstream>
#include <span>
#include <thread>

#include "runtime/symbols.h"

// Invariants. The handler runs on the thread that is looked at, wherever that thread is, so it calls nothing that takes
// a lock or memory: the unwinder is loaded before. One request at a time; a request that is being answered is waited
// for, and a thread that never finishes its answer keeps the request for good.

namespace weir::runtime {

namespace {

constexpr size_t kMost = 48;  // frames

enum class Stage : uint8_t { none, asked, answering, answered };

struct Request {
  std::atomic<Stage> stage = Stage::none;
  std::atomic<pid_t> thread = 0;
  std::array<void*, kMost> frames;
  size_t count = 0;
  void* interrupted = nullptr;  // where the signal found the thread
};
Request request;

pid_t this_thread() { return static_cast<pid_t>(::syscall(SYS_gettid)); }

void* program_counter(const void* context) {
  const auto& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  return reinterpret_cast<void*>(machine.gregs[REG_RIP]);
#elif defined(__aarch64__)
  return reinterpret_cast<void*>(machine.pc);
#else
  (void)machine;
  return nullptr;
#endif
}

void answer(int, siginfo_t*, void* context) noexcept {
  const int error = errno;
  auto asked = Stage::asked;
  if (request.thread == this_thread() && request.stage.compare_exchange_strong(asked, Stage::answering)) {
    request.count = static_cast<size_t>(::backtrace(request.frames.data(), kMost));
    request.interrupted = program_counter(context);
    request.stage = Stage::answered;
  }
  errno = error;
}

bool is_answered_within(Duration patience) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (std::chrono::steady_clock::now() < end) {
    if (request.stage == Stage::answered) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  auto asked = Stage::asked;
  if (request.stage.compare_exchange_strong(asked, Stage::none)) return false;
  return request.stage == Stage::answered;
}

/// Without the frames of the handler.
std::span<void* const> below_handler() {
  const std::span<void* const> all(request.frames.data(), request.count);
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i] == request.interrupted) return all.subspan(i);
  }
  return all;
}

}  // namespace

void prepare_stacks() {
  std::array<void*, 4> frames;
  ::backtrace(frames.data(), frames.size());
  struct sigaction action{};
  action.sa_sigaction = answer;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGURG, &action, nullptr);
}

std::string stack_of(pid_t thread, Duration patience) {
  auto late = Stage::answered;  // an answer that came after its time
  request.stage.compare_exchange_strong(late, Stage::none);
  auto free = Stage::none;
  request.thread = thread;
  if (!request.stage.compare_exchange_strong(free, Stage::asked)) return "";
  if (::syscall(SYS_tgkill, ::getpid(), thread, SIGURG) != 0 || !is_answered_within(patience)) {
    auto asked = Stage::asked;
    request.stage.compare_exchange_strong(asked, Stage::none);
    return "";
  }
  std::string text;
  const auto frames = below_handler();
  const Symbols symbols;
  for (size_t i = 0; i < frames.size(); ++i) {
    // A return address belongs to the call before it.
    const auto* at = static_cast<const char*>(frames[i]) - (i == 0 ? 0 : 1);
    text += (text.empty() ? "" : " < ") + symbols.name_of(at);
  }
  request.stage = Stage::none;
  return text;
}

std::string thread_state(pid_t thread) {
  std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/stat");
  std::string line;
  std::getline(file, line);
  const auto end_of_name = line.rfind(") ");
  return end_of_name == std::string::npos ? "?" : line.substr(end_of_name + 2, 1);
}

}  // namespace weir::runtime
