#include "admin/renderer.h"

#include <pthread.h>
#include <sys/resource.h>

#include <optional>
#include <system_error>
#include <utility>

#include "base/log.h"

namespace weir::admin {

namespace {

constexpr int kNice = 10;  // workers go first where cores are short

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
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNice);  // on Linux: of this thread alone
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
