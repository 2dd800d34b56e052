#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace weir::store {

class RedisCall;

/// Calls with replies due, in the order of the commands: a ring, grown to the largest number due at once. Null: the
/// call was destroyed, and the reply is dropped.
class DueCalls {
 public:
  bool is_empty() const { return first_ == end_; }
  size_t size() const { return static_cast<size_t>(end_ - first_); }

  /// The call's ticket.
  uint64_t push(RedisCall& call) {
    if (size() == ring_.size()) grow();
    at(end_) = &call;
    return end_++;
  }
  /// Only when not empty.
  RedisCall* front() { return at(first_); }
  RedisCall* pop() { return at(first_++); }
  /// The call is destroyed. Only with the ticket of a call with a reply due.
  void drop(uint64_t ticket) { at(ticket) = nullptr; }

 private:
  RedisCall*& at(uint64_t ticket) { return ring_[ticket & (ring_.size() - 1)]; }
  void grow() {
    constexpr size_t kFirst = 64;
    std::vector<RedisCall*> larger(ring_.empty() ? kFirst : 2 * ring_.size());
    for (uint64_t ticket = first_; ticket != end_; ++ticket) larger[ticket & (larger.size() - 1)] = at(ticket);
    ring_.swap(larger);
  }

  std::vector<RedisCall*> ring_;  // size: a power of two
  uint64_t first_ = 0;            // tickets
  uint64_t end_ = 0;
};

}  // namespace weir::store
