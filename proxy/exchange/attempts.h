#pragma once

#include "exchange/arena_list.h"
#include "exchange/attempt.h"

namespace weir {

/// The attempts of an exchange and of its forks, in the order in which they began. Each stays where it is as long as
/// the exchange: whoever makes the attempt keeps a reference.
class Attempts {
 public:
  explicit Attempts(Arena& arena) : arena_(arena), attempts_(arena), adopted_(arena) {}

  /// `attempt.endpoint` is copied: a name's endpoint may go before the exchange does.
  Attempt& add(Attempt attempt) {
    attempt.number = static_cast<uint32_t>(size() + 1);
    attempt.endpoint = arena_.copy(attempt.endpoint);
    auto& kept = arena_.make<Attempt>(attempt);
    attempts_.add(&kept);
    return kept;
  }
  /// Those of another exchange, too, which may go on until `keep_adopted`: it must not go before.
  void adopt(const Attempts& others) {
    for (Attempt* attempt : others.attempts_) {
      adopted_.add(attempts_.size());
      attempts_.add(attempt);
    }
  }
  /// As they are now, for good.
  void keep_adopted() {
    for (const size_t at : adopted_) {
      auto& kept = arena_.make<Attempt>(*attempts_[at]);
      kept.endpoint = arena_.copy(kept.endpoint);
      attempts_[at] = &kept;
    }
    adopted_.clear();
  }
  size_t size() const { return attempts_.size(); }
  bool empty() const { return attempts_.empty(); }
  const Attempt& operator[](size_t i) const { return *attempts_[i]; }
  const Attempt& back() const { return *attempts_[size() - 1]; }
  bool has_tried(const void* endpoint_id) const {
    for (const Attempt* attempt : attempts_) {
      if (attempt->endpoint_id == endpoint_id) return true;
    }
    return false;
  }
  /// The last that was answered, of those from number `first` (from 0) on; null when none was.
  const Attempt* last_answered(size_t first) const {
    for (size_t i = size(); i > first; --i) {
      if (attempts_[i - 1]->answered > Time{}) return attempts_[i - 1];
    }
    return nullptr;
  }
  /// Whose answer or failure it is that the client was told: the last that nobody gave up. Not when there is none.
  const Attempt& decisive() const {
    if (const auto* over = last([](const Attempt& a) { return concerns_endpoint(a.outcome); })) return *over;
    const auto* answered = last([](const Attempt& a) { return a.status != 0; });
    return answered ? *answered : back();
  }

 private:
  template <class Is>
  const Attempt* last(Is is) const {
    for (size_t i = size(); i > 0; --i) {
      if (is(*attempts_[i - 1])) return attempts_[i - 1];
    }
    return nullptr;
  }

  Arena& arena_;
  ArenaList<Attempt*> attempts_;
  ArenaList<size_t> adopted_;  // places in `attempts_`
};

}  // namespace weir
