#pragma once

#include <memory>
#include <vector>

#include "async/event.h"
#include "config/problems.h"
#include "runtime/watchdog.h"
#include "runtime/worker.h"

namespace weir::runtime {

/// The threads that serve, and the watchdog over them. The supervisor's thread.
class Workers {
 public:
  /// All outlive it.
  Workers(Loop& loop, Lasting& lasting, admin::Console& console, admin::Renderer& renderer)
      : loop_(loop), lasting_(lasting), console_(console), renderer_(renderer) {}

  size_t size() const { return workers_.size(); }
  /// Starts threads until there are `count` workers. A thread that the kernel refuses is a Problem.
  void start(unsigned count, config::Problems& problems);
  /// Ends all but the first `count`, and waits for their threads.
  void keep_first(size_t count) { workers_.resize(count); }
  /// Ends all and the watchdog, and waits for their threads: for ever if one hangs.
  void end();
  /// From now on the watchdog looks after all workers there are.
  void watch(const WatchdogSettings& settings);

  /// Calls `ask(Worker&, Worker::Done)` for every worker; until all have answered.
  template <class Ask>
  Task<> ask(Ask ask);
  Task<Load> total_load();

 private:
  Loop& loop_;
  Lasting& lasting_;
  admin::Console& console_;
  admin::Renderer& renderer_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<Watchdog> watchdog_;  // watches the workers, so goes before them
};

template <class Ask>
Task<> Workers::ask(Ask ask) {
  struct Answers {
    explicit Answers(Loop& loop) : all(loop) {}
    size_t missing = 0;
    Event all;
  };
  auto answers = std::make_shared<Answers>(loop_);  // shared with the letters of the workers
  answers->missing = workers_.size();
  for (auto& worker : workers_) {
    ask(*worker, [&loop = loop_, answers] {
      loop.post([answers] {
        if (--answers->missing == 0) answers->all.set();
      });
    });
  }
  if (!workers_.empty()) co_await answers->all.wait();
}

}  // namespace weir::runtime
