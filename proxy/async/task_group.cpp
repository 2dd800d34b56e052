#include "async/task_group.h"

namespace weir {

void TaskGroup::spawn(Task<> task) {
  auto* member = new Member;
  member->group = this;
  member->ended.member = member;
  member->ended.run = [](Ready& ended) {
    Member& member = *static_cast<Member::Ended&>(ended).member;
    member.group->remove(member);
  };
  members_.push_back(*member);
  ++size_;
  member->task = run(*member, std::move(task));
  member->task.start();
}

Task<> TaskGroup::run(Member& member, Task<> task) {
  try {
    co_await std::move(task);
  } catch (...) {
    if (member.group->on_exception_) member.group->on_exception_(std::current_exception());
  }
  member.group->loop_.wake(member.ended);
}

void TaskGroup::remove(Member& member) {
  --size_;
  delete &member;
}

void TaskGroup::cancel() {
  while (!members_.is_empty()) remove(members_.front());
}

}  // namespace weir
