#include "admin/renderer.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

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
  PagePtr page;
  std::exception_ptr exception;
  Event arrived;
};

struct Renderer::Asker {
  std::shared_ptr<Answer> answer;  // two owners: who asked, and may be gone, and this
  Loop* loop;
  bool is_gone() const { return answer.use_count() == 1; }
};

struct Renderer::Job {
  Name name;
  std::vector<Asker> askers;
  std::function<Page()> work;
};

/// What is to be done, and what has come back.
struct Renderer::Desk {
  std::mutex mutex;
  std::condition_variable is_wanted;
  std::deque<Job> jobs;
  std::vector<std::unique_ptr<const Page>> returned;
  std::map<std::string, size_t> held;  // bytes, by path
  bool is_stopped = false;

  bool add(const Name& name, Asker asker, std::function<Page()>& work);
  void take_back(std::unique_ptr<const Page> page, const std::string& path);
};

/// False when there is too much already.
bool Renderer::Desk::add(const Name& name, Asker asker, std::function<Page()>& work) {
  const std::lock_guard lock(mutex);
  if (is_stopped) return true;
  if (const auto found = held.find(name.path); found != held.end() && found->second >= kMostHeld) return false;
  auto job = std::ranges::find(jobs, name, &Job::name);
  if (job == jobs.end()) {
    if (jobs.size() >= kMostJobs) return false;
    job = jobs.insert(jobs.end(), Job{name, {}, std::move(work)});
    is_wanted.notify_one();
  }
  job->askers.push_back(std::move(asker));
  return true;
}

void Renderer::Desk::take_back(std::unique_ptr<const Page> page, const std::string& path) {
  const std::lock_guard lock(mutex);
  held[path] -= page->text.size();
  if (is_stopped) return;
  returned.push_back(std::move(page));
  is_wanted.notify_one();
}

Renderer::Renderer() : desk_(std::make_shared<Desk>()) {}

Task<Result<PagePtr>> Renderer::render(Exchange& exchange, Name name, std::function<Page()> work) {
  if (!has_thread()) co_return std::make_shared<const Page>(work());
  auto answer = std::make_shared<Answer>(exchange.loop());
  if (!desk_->add(name, {answer, &exchange.loop()}, work)) {
    if (const auto turn = refused_.turn(exchange.loop().now()))
      log::warn("admin_page_refused", {{"path", name.path}, {"untold", turn->untold}});
    co_return fail(ErrorCode::admin_busy, Side::self, "too many pages of the admin API wait to be rendered or read");
  }
  co_await answer->arrived.wait();
  if (answer->exception) std::rethrow_exception(answer->exception);
  co_return std::move(answer->page);
}

bool Renderer::has_thread() {
  const std::lock_guard lock(desk_->mutex);
  if (desk_->is_stopped || thread_.joinable()) return true;
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error& error) {
    log::warn("admin_thread_refused", {{"reason", error.what()}});
    return false;
  }
  ::pthread_setname_np(thread_.native_handle(), "weir-admin");
  return true;
}

void Renderer::stop() {
  {
    const std::lock_guard lock(desk_->mutex);
    desk_->is_stopped = true;
    desk_->jobs.clear();
    desk_->returned.clear();
    desk_->is_wanted.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void Renderer::run() {
  step_back();
  for (;;) {
    std::unique_lock lock(desk_->mutex);
    desk_->is_wanted.wait(lock,
                          [this] { return desk_->is_stopped || !desk_->jobs.empty() || !desk_->returned.empty(); });
    if (desk_->is_stopped) return;
    auto returned = std::exchange(desk_->returned, {});
    std::optional<Job> job;
    if (!desk_->jobs.empty()) {
      job.emplace(std::move(desk_->jobs.front()));
      desk_->jobs.pop_front();
    }
    lock.unlock();
    returned.clear();
    if (job) work_off(std::move(*job));
  }
}

void Renderer::work_off(Job job) {
  std::erase_if(job.askers, [](const Asker& asker) { return asker.is_gone(); });
  if (job.askers.empty()) return;
  PagePtr page;
  std::exception_ptr exception;
  try {
    auto made = std::make_unique<const Page>(job.work());
    {
      const std::lock_guard lock(desk_->mutex);
      desk_->held[job.name.path] += made->text.size();
    }
    page = PagePtr(made.release(), [desk = desk_, path = job.name.path](const Page* page) {
      desk->take_back(std::unique_ptr<const Page>(page), path);
    });
  } catch (...) {
    exception = std::current_exception();
  }
  for (auto& asker : job.askers) {
    asker.loop->post([answer = std::move(asker.answer), page, exception] {
      answer->page = page;
      answer->exception = exception;
      answer->arrived.set();
    });
  }
}

}  // namespace weir::admin
