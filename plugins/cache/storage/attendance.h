#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "async/broadcast.h"

namespace weir::plugins {

/// How many care for a fill: wait for it, or read what it brings. Any thread.
class Attendance {
 public:
  void enter() {
    if (count_.fetch_add(1) == 0) changed.notify();
  }
  void leave() {
    if (count_.fetch_sub(1) == 1) changed.notify();
  }
  bool is_empty() const { return count() == 0; }
  int count() const { return count_.load(); }

  Broadcast changed;  // the first has come, or the last has gone

 private:
  std::atomic<int> count_ = 0;
};

/// One of them, for as long as it lives. Several owners of the attendance: whoever leaves last may outlive the fill.
class Attendee {
 public:
  Attendee() = default;
  explicit Attendee(std::shared_ptr<Attendance> attendance) : attendance_(std::move(attendance)) {
    attendance_->enter();
  }
  Attendee(Attendee&& other) noexcept : attendance_(std::move(other.attendance_)) {}
  Attendee& operator=(Attendee other) noexcept {
    std::swap(attendance_, other.attendance_);
    return *this;
  }
  ~Attendee() {
    if (attendance_) attendance_->leave();
  }

 private:
  std::shared_ptr<Attendance> attendance_;
};

}  // namespace weir::plugins
