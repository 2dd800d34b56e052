#pragma once

#include <exception>
#include <memory>
#include <optional>
#include <utility>

#include "async/event.h"
#include "async/task.h"

namespace weir {

/// Runs a job for all who ask, one run at a time. Whoever asks during a run gets the outcome of the next one, which all
/// of them share: so there is never more than one to come. Whoever asks first runs the job, and must not be destroyed
/// before the others. One thread.
template <class Outcome>
class SharedRuns {
 public:
  explicit SharedRuns(Loop& loop) : loop_(loop), is_free_(loop) { is_free_.set(); }
  SharedRuns(const SharedRuns&) = delete;
  SharedRuns& operator=(const SharedRuns&) = delete;

  /// Whoever asks now shares a run with others.
  bool is_one_to_come() const { return next_ != nullptr; }
  /// `job()`: a Task<Outcome>; an exception of it is thrown to all who share it.
  template <class Job>
  Task<Outcome> run(Job job) {
    if (const auto next = next_) {
      co_await next->is_over.wait();
      co_return next->outcome();
    }
    const auto mine = std::make_shared<Run>(loop_);
    next_ = mine;
    while (!is_free_.is_set()) co_await is_free_.wait();
    is_free_.clear();
    next_.reset();
    try {
      mine->value.emplace(co_await job());
    } catch (...) {
      mine->exception = std::current_exception();
    }
    is_free_.set();
    mine->is_over.set();
    co_return mine->outcome();
  }

 private:
  struct Run {
    explicit Run(Loop& loop) : is_over(loop) {}
    Outcome outcome() const {
      if (exception) std::rethrow_exception(exception);
      return *value;
    }
    std::optional<Outcome> value;
    std::exception_ptr exception;
    Event is_over;
  };

  Loop& loop_;
  Event is_free_;
  std::shared_ptr<Run> next_;  // that has yet to begin; also owned by those who wait for it
};

}  // namespace weir
