#pragma once

#include <memory>

#include "async/loop.h"
#include "async/task.h"

namespace weir {

/// Tasks that run on their own until they end or the group goes. An exception that escapes from one is handed
/// to `on_exception`. One thread.
class TaskGroup {
 public:
  using OnException = void (*)(std::exception_ptr);
  explicit TaskGroup(Loop& loop, OnException on_exception = nullptr) : loop_(loop), on_exception_(on_exception) {}
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;
  ~TaskGroup() { cancel(); }

  /// Starts it now, inside this call.
  void spawn(Task<> task);
  void cancel();
  size_t size() const { return size_; }

 private:
  struct Member : ListNode {
    struct Ended : Ready {
      Member* member;
    };
    TaskGroup* group;
    Task<> task;
    Ended ended;
  };
  static Task<> run(Member& member, Task<> task);
  void remove(Member& member);

  Loop& loop_;
  OnException on_exception_;
  size_t size_ = 0;
  List<Member> members_;
};

}  // namespace weir
