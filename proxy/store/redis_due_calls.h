#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace weir::store {

class RedisCall;

/// Who gets the replies that a server owes, in the order of the commands: a ring that grows to the largest number ever
/// due at once. Null: nobody waits for the reply any more.
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
  /// Only when there is one.
  RedisCall* front() { return at(first_); }
  RedisCall* pop() { return at(first_++); }
  /// The call is gone. Only with the ticket of one whose reply is due.
  void drop(uint64_t ticket) { at(ticket) = nullptr; }

 private:
  RedisCall*& at(uint64_t ticket) { return ring_[ticket & (ring_.size() - 1)]; }
  void grow() {
    constexpr size_t kFirst = 64;
    std::vector<RedisCall*> larger(ring_.empty() ? kFirst : 2 * ring_.size());
    for (uint64_t ticket = first_; ticket != end_; ++ticket) larger[ticket & (larger.size() - 1)] = at(ticket);
    ring_.swap(larger);
  }

  std::vector<RedisCall*> ring_;  // its size is a power of two
  uint64_t first_ = 0;            // tickets
  uint64_t end_ = 0;
};

}  // namespace weir::store
