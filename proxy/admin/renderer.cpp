#include "admin/renderer.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <optional>
#include <system_error>
#include <utility>

#include "base/log.h"

namespace weir::admin {

namespace {

constexpr int kNice = 10;  // workers go first where cores are short

/// struct sched_attr of the kernel (sched_setattr(2)), which glibc 2.36 does not declare.
struct SchedulingAttributes {
  uint32_t size = sizeof(SchedulingAttributes);
  uint32_t policy = SCHED_OTHER;
  uint64_t flags = 0;
  int32_t nice = 0;
  uint32_t priority = 0;
  uint64_t runtime = 0;  // nanoseconds
  uint64_t deadline = 0;
  uint64_t period = 0;
};

/// A worker that wakes on the renderer's core waits for the rest of its time slice (EEVDF, Linux 6.12 and later: 3 ms
/// by default). Kernels that know no such setting take the niceness alone.
void step_back() {
  const SchedulingAttributes attributes{.nice = kNice, .runtime = 100'000};
  if (::syscall(SYS_sched_setattr, 0, &attributes, 0) == 0) return;
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNice);  // on Linux: of this thread alone
}

}  // namespace

struct Renderer::Answer {
  explicit Answer(Loop& loop) : arrived(loop) {}
  std::optional<RenderedPage> page;
  std::exception_ptr exception;
  Event arrived;
};

Task<RenderedPage> Renderer::render(Exchange& exchange, std::function<Page()> work) {
  if (!has_thread()) co_return RenderedPage(work());
  auto answer = std::make_shared<Answer>(exchange.loop());
  add({answer, &exchange.loop(), std::move(work)});
  co_await answer->arrived.wait();
  if (answer->exception) std::rethrow_exception(answer->exception);
  co_return std::move(*answer->page);
}

bool Renderer::has_thread() {
  const std::lock_guard lock(mutex_);
  if (is_stopped_ || thread_.joinable()) return true;
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error& error) {
    log::warn("admin_thread_refused", {{"reason", error.what()}});
    return false;
  }
  ::pthread_setname_np(thread_.native_handle(), "weir-admin");
  return true;
}

void Renderer::add(Job job) {
  const std::lock_guard lock(mutex_);
  if (is_stopped_) return;
  jobs_.push_back(std::move(job));
  is_wanted_.notify_one();
}

void Renderer::stop() {
  {
    const std::lock_guard lock(mutex_);
    is_stopped_ = true;
    jobs_.clear();
    is_wanted_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void Renderer::run() {
  step_back();
  for (;;) {
    std::unique_lock lock(mutex_);
    is_wanted_.wait(lock, [this] { return is_stopped_ || !jobs_.empty(); });
    if (is_stopped_) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    if (job.answer.use_count() == 1) continue;  // the client has gone
    std::optional<RenderedPage> page;
    std::exception_ptr exception;
    try {
      page.emplace(job.work());
    } catch (...) {
      exception = std::current_exception();
    }
    job.asker->post([answer = std::move(job.answer), page = std::move(page), exception]() mutable {
      answer->page = std::move(page);
      answer->exception = exception;
      answer->arrived.set();
    });
  }
}

}  // namespace weir::admin
