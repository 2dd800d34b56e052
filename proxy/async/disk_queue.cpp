#include "async/disk_queue.h"

#include <cerrno>
#include <condition_variable>
#include <list>
#include <mutex>
#include <string>
#include <system_error>
#include <unordered_map>
#include <utility>

#include "base/thread.h"

// Invariants. A job is in a line, then with a thread, then over. `Job::call` is the waiting awaiter. Only the awaiter's
// own thread changes `Job::call`, and only with the mutex held, so a disk thread that sees a call under the mutex may
// post to the call's loop: the loop is alive. The posted message finds the call gone, or wakes the call. The threads
// share ownership of `Shared`, and start one by one, when a job arrives and no thread is idle.

namespace weir {

struct DiskQueue::Job {
  Work work;
  Call* call = nullptr;  // null: no waiter
  int error = 0;         // of the work, once it is over
  std::string client;
  std::list<std::shared_ptr<Job>>::iterator place{};  // while in a line
  bool is_in_line = false;
};

struct DiskQueue::Shared {
  struct Line {
    std::list<std::shared_ptr<Job>> jobs;  // not empty
    size_t awaited = 0;                    // of them
    std::list<Line*>::iterator turn{};
  };
  enum class Joined : uint8_t { yes, is_full, no_thread };

  explicit Shared(const Settings& settings) : settings(settings) {}
  static Joined join(const std::shared_ptr<Shared>& shared, const std::shared_ptr<Job>& job);
  static void serve(const std::shared_ptr<Shared>& shared);
  bool has_thread(const std::shared_ptr<Shared>& self);
  void leave(Job& job);

  const Settings settings;
  std::mutex mutex;  // guards all below, and the jobs' places and calls
  std::condition_variable changed;
  std::unordered_map<std::string, Line> lines;
  std::list<Line*> turns;  // the next first
  size_t awaited = 0;      // jobs in all lines
  size_t jobs = 0;         // the same, including unattended jobs
  size_t threads = 0;
  size_t idle = 0;  // threads
  bool is_over = false;
};

DiskQueue::Shared::Joined DiskQueue::Shared::join(const std::shared_ptr<Shared>& shared,
                                                  const std::shared_ptr<Job>& job) {
  const std::lock_guard lock(shared->mutex);
  if (!shared->has_thread(shared)) return Joined::no_thread;
  const auto [found, is_new] = shared->lines.try_emplace(job->client);
  auto& line = found->second;
  if (job->call && line.awaited + shared->awaited >= shared->settings.most_waiting) {
    if (is_new) shared->lines.erase(found);
    return Joined::is_full;
  }
  if (is_new) line.turn = shared->turns.insert(shared->turns.end(), &line);
  job->place = line.jobs.insert(line.jobs.end(), job);
  job->is_in_line = true;
  ++shared->jobs;
  if (job->call) ++line.awaited, ++shared->awaited;
  shared->changed.notify_one();
  return Joined::yes;
}

/// Starts another thread when all threads have work, up to the bound. False when no thread exists.
bool DiskQueue::Shared::has_thread(const std::shared_ptr<Shared>& self) {
  if (idle > jobs || threads == settings.threads) return true;
  try {
    start_thread("weir-disk", TakesSignals::no, [self] { serve(self); }).detach();
    ++threads;
  } catch (const std::system_error&) {
  }
  return threads > 0;
}

void DiskQueue::Shared::leave(Job& job) {
  const auto found = lines.find(job.client);
  auto& line = found->second;
  if (job.call) --line.awaited, --awaited;
  --jobs;
  job.is_in_line = false;
  line.jobs.erase(job.place);
  if (!line.jobs.empty()) return;
  turns.erase(line.turn);
  lines.erase(found);
}

void DiskQueue::Shared::serve(const std::shared_ptr<Shared>& shared) {
  std::unique_lock lock(shared->mutex);
  for (;;) {
    ++shared->idle;
    shared->changed.wait(lock, [&] { return !shared->turns.empty() || shared->is_over; });
    --shared->idle;
    if (shared->turns.empty()) return;
    const auto job = shared->turns.front()->jobs.front();
    shared->turns.splice(shared->turns.end(), shared->turns, shared->turns.begin());
    shared->leave(*job);
    lock.unlock();
    const int error = job->work();
    job->work = nullptr;
    lock.lock();
    job->error = error;
    if (!job->call) continue;
    job->call->loop_.post([job] {
      if (job->call) job->call->settle(job->error);
    });
  }
}

DiskQueue::DiskQueue(const Settings& settings) : shared_(std::make_shared<Shared>(settings)) {}

DiskQueue::~DiskQueue() {
  const std::lock_guard lock(shared_->mutex);
  shared_->is_over = true;
  shared_->changed.notify_all();
}

DiskQueue::Call DiskQueue::run(Loop& loop, std::string_view client, Work work) {
  return {shared_, loop, client, std::move(work)};
}

void DiskQueue::run_unattended(std::string_view client, Work work) {
  auto job = std::make_shared<Job>(std::move(work));
  job->client = client;
  if (Shared::join(shared_, job) == Shared::Joined::no_thread) (void)job->work();
}

size_t DiskQueue::waiting() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->jobs;
}

DiskQueue::Call::Call(std::shared_ptr<Shared> shared, Loop& loop, std::string_view client, Work work)
    : shared_(std::move(shared)), loop_(loop), job_(std::make_shared<Job>(std::move(work))), alarm_(loop, *this) {
  job_->client = client;
}

DiskQueue::Call::~Call() {
  if (!job_) return;
  const std::lock_guard lock(shared_->mutex);
  if (job_->is_in_line) shared_->leave(*job_);
  job_->call = nullptr;
}

void DiskQueue::Call::await_suspend(std::coroutine_handle<> awaiter) {
  coroutine = awaiter;
  job_->call = this;
  switch (Shared::join(shared_, job_)) {
    case Shared::Joined::yes: return alarm_.start(shared_->settings.patience);
    case Shared::Joined::is_full: return settle(EBUSY);
    case Shared::Joined::no_thread: return settle(job_->work());
  }
}

/// The job is in no line.
void DiskQueue::Call::settle(int error) {
  alarm_.stop();
  {
    const std::lock_guard lock(shared_->mutex);
    job_->call = nullptr;
  }
  job_.reset();
  error_ = error;
  loop_.wake(*this);
}

void DiskQueue::Call::expired() {
  {
    const std::lock_guard lock(shared_->mutex);
    if (job_->is_in_line) shared_->leave(*job_);
  }
  settle(ETIMEDOUT);
}

}  // namespace weir
