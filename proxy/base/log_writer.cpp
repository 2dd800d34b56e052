#include "base/log_writer.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "base/thread.h"

// The queue's mutex is held for moves of pointers and for copies of short lines, never during a system call on the
// target. The thread is detached and shares the Core, so that nobody has to wait for a write that does not return; at
// the end of the process `wait_for_ended` waits for a limited time.

namespace weir {

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kStep = std::chrono::milliseconds(100);  // between looks at a target that takes nothing
constexpr auto kBetweenNews = std::chrono::seconds(10);

uint64_t lines_in(std::string_view text) { return static_cast<uint64_t>(std::ranges::count(text, '\n')); }

/// Lets a repeated event through once in 10 s.
class Seldom {
 public:
  bool is_due() {
    const auto now = Clock::now();
    if (last_ && now - *last_ < kBetweenNews) return false;
    last_ = now;
    return true;
  }

 private:
  std::optional<Clock::time_point> last_;
};

}  // namespace

struct LogWriter::Core {
  Core(LogTarget target, LogWriterOptions options)
      : target(std::move(target)), name(this->target.name()), options(std::move(options)) {}

  // Any thread.
  LogBatchPtr take();
  void submit(LogBatchPtr batch);
  bool append(std::string_view lines);
  void count_dropped(uint64_t lines) {
    options.dropped->fetch_add(lines, std::memory_order_relaxed);
    lost.fetch_add(lines, std::memory_order_relaxed);
  }
  uint64_t unwritten_lines();
  bool is_idle() const { return waiting.empty() && !is_writing && !must_reopen; }  // under the mutex

  // The writer's thread.
  void run();
  void write_all(std::string_view text);
  /// Ends a line that was written in part.
  LogTarget::Written start_line();
  /// Removes from `text` what was written: all of it, unless there is an error.
  LogTarget::Written write_lines(std::string_view& text);
  /// False when an ownerless writer has waited for long enough.
  bool wait_for_target(int error);
  void open_again_if_asked();
  void tell_recovery();

  LogTarget target;  // the writer's thread
  const std::string name;
  const LogWriterOptions options;
  std::atomic<uint64_t> lost = 0;     // lines dropped since the last `recovered`
  std::atomic<uint64_t> in_hand = 0;  // lines of the batches that the thread has taken

  std::mutex mutex;
  std::condition_variable work;
  std::condition_variable written;
  std::vector<LogBatchPtr> waiting;
  std::vector<LogBatchPtr> free;
  size_t queued = 0;  // batches submitted and not yet written
  bool is_writing = false;
  bool must_reopen = false;
  bool has_owner = true;
  Clock::time_point ownerless_since;  // once `has_owner` is false
  Seldom lagging;

  // The writer's thread.
  Clock::time_point progress = Clock::now();
  Seldom failing, no_reader, recovered;
};

/// Writers whose LogWriter is gone, and whose threads still run.
struct LogWriter::Ownerless {
  std::mutex mutex;
  std::condition_variable ended;
  std::set<std::shared_ptr<Core>> cores;

  /// Never destroyed: a thread may end after the static objects are gone.
  static Ownerless& all() {
    static auto& made = *new Ownerless;
    return made;
  }
};

LogWriter::LogWriter(LogTarget target, LogWriterOptions options)
    : core_(std::make_shared<Core>(std::move(target), std::move(options))) {
  start_thread("log-writer", TakesSignals::no, [core = core_] {
    core->run();
    auto& ownerless = Ownerless::all();
    const std::lock_guard lock(ownerless.mutex);
    ownerless.cores.erase(core);
    ownerless.ended.notify_all();
  }).detach();
}

LogWriter::~LogWriter() {
  auto& ownerless = Ownerless::all();
  {
    const std::lock_guard lock(ownerless.mutex);
    ownerless.cores.insert(core_);
  }
  const std::lock_guard lock(core_->mutex);
  core_->has_owner = false;
  core_->ownerless_since = Clock::now();
  core_->work.notify_one();
}

LogBatchPtr LogWriter::take() { return core_->take(); }

void LogWriter::submit(LogBatchPtr batch) { core_->submit(std::move(batch)); }

void LogWriter::drop(uint64_t lines) { core_->count_dropped(lines); }

void LogWriter::write(std::string_view lines) {
  while (!lines.empty()) {
    auto part = lines.substr(0, LogBatch::kCapacity);
    if (part.size() < lines.size()) part = part.substr(0, part.rfind('\n') + 1);  // npos + 1: one that is too long
    if (part.empty() || !core_->append(part)) return core_->count_dropped(lines_in(lines));
    lines.remove_prefix(part.size());
  }
}

void LogWriter::reopen() {
  const std::lock_guard lock(core_->mutex);
  core_->must_reopen = true;
  core_->work.notify_one();
}

bool LogWriter::wait_until_written(Duration most) {
  std::unique_lock lock(core_->mutex);
  return core_->written.wait_for(lock, most, [this] { return core_->is_idle(); });
}

uint64_t LogWriter::wait_for_ended(Duration most) {
  auto& ownerless = Ownerless::all();
  std::unique_lock lock(ownerless.mutex);
  ownerless.ended.wait_for(lock, most, [&] { return ownerless.cores.empty(); });
  uint64_t lines = 0;
  for (const auto& core : ownerless.cores) lines += core->unwritten_lines();
  return lines;
}

LogBatchPtr LogWriter::Core::take() {
  bool is_full = false, is_news = false;
  {
    const std::lock_guard lock(mutex);
    is_full = queued >= options.batches;
    if (!is_full && !free.empty()) {
      LogBatchPtr batch = std::move(free.back());
      free.pop_back();
      return batch;
    }
    is_news = is_full && lagging.is_due();
  }
  if (!is_full) return LogBatchPtr(new LogBatch);  // its bytes stay untouched
  if (is_news) options.tell({.what = LogNews::What::lagging, .log = name});
  return nullptr;
}

bool LogWriter::Core::append(std::string_view lines) {
  {
    const std::lock_guard lock(mutex);
    if (!waiting.empty() && waiting.back()->room().size() >= lines.size()) {
      waiting.back()->add(lines);
      return true;
    }
  }
  auto batch = take();
  if (!batch) return false;
  batch->add(lines);
  submit(std::move(batch));
  return true;
}

void LogWriter::Core::submit(LogBatchPtr batch) {
  const std::lock_guard lock(mutex);
  waiting.push_back(std::move(batch));
  ++queued;
  work.notify_one();
}

uint64_t LogWriter::Core::unwritten_lines() {
  const std::lock_guard lock(mutex);
  uint64_t lines = in_hand.load(std::memory_order_relaxed);
  for (const auto& batch : waiting) lines += lines_in(batch->text());
  return lines;
}

void LogWriter::Core::run() {
  std::vector<LogBatchPtr> batches;
  std::unique_lock lock(mutex);
  while (true) {
    work.wait(lock, [this] { return !waiting.empty() || must_reopen || !has_owner; });
    if (waiting.empty() && !must_reopen) return;
    batches.swap(waiting);
    is_writing = true;
    lock.unlock();
    uint64_t lines = 0;
    for (const auto& batch : batches) lines += lines_in(batch->text());
    in_hand.store(lines, std::memory_order_relaxed);
    open_again_if_asked();
    for (const auto& batch : batches) write_all(batch->text());
    lock.lock();
    is_writing = false;
    queued -= batches.size();
    for (auto& batch : batches) {
      batch->size = 0;
      free.push_back(std::move(batch));
    }
    batches.clear();
    written.notify_all();
  }
}

void LogWriter::Core::write_all(std::string_view text) {
  auto outcome = start_line();
  if (outcome.error == 0) outcome = write_lines(text);
  if (outcome.error == 0) return tell_recovery();
  const auto lines = lines_in(text);
  in_hand.fetch_sub(lines, std::memory_order_relaxed);
  count_dropped(lines);
  if (!failing.is_due()) return;
  const char* why = outcome.must_wait ? "nobody reads it" : std::strerror(outcome.error);
  options.tell({.what = LogNews::What::failing, .log = name, .why = why});
}

LogTarget::Written LogWriter::Core::start_line() {
  while (!target.is_at_line_start()) {
    const auto written = target.write("\n");
    if (written.error && (!written.must_wait || !wait_for_target(written.error))) return written;
  }
  return {};
}

LogTarget::Written LogWriter::Core::write_lines(std::string_view& text) {
  while (!text.empty()) {
    const auto written = target.write(text);
    if (written.error && (!written.must_wait || !wait_for_target(written.error))) return written;
    in_hand.fetch_sub(lines_in(text.substr(0, written.count)), std::memory_order_relaxed);
    text.remove_prefix(written.count);
    if (written.count) progress = Clock::now();
  }
  return {};
}

bool LogWriter::Core::wait_for_target(int error) {
  if (error != EAGAIN && error != EINTR && no_reader.is_due())
    options.tell({.what = LogNews::What::no_reader, .log = name});
  target.wait(kStep);
  open_again_if_asked();
  const std::lock_guard lock(mutex);
  return has_owner || Clock::now() - std::max(progress, ownerless_since) < options.patience;
}

void LogWriter::Core::open_again_if_asked() {
  {
    const std::lock_guard lock(mutex);
    if (!std::exchange(must_reopen, false)) return;  // a request that comes from here on is a new one
  }
  if (auto again = LogTarget::open(name)) {
    target = std::move(*again);
    options.tell({.what = LogNews::What::reopened, .log = name});
  } else {
    options.tell({.what = LogNews::What::reopen_failed, .log = name, .why = again.error()});
  }
}

void LogWriter::Core::tell_recovery() {
  if (lost.load(std::memory_order_relaxed) == 0 || !recovered.is_due()) return;
  options.tell({.what = LogNews::What::recovered, .log = name, .lines = lost.exchange(0)});
}

}  // namespace weir
