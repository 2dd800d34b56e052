#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "async/event.h"
#include "async/semaphore.h"
#include "async/sleep.h"
#include "async/task.h"
#include "base/arena.h"
#include "store/channels.h"
#include "store/store.h"

namespace weir::store {

/// Whom a follower tells, on its thread.
struct LogEars {
  /// The next entry of the log.
  std::function<void(const Entry&)> hear;
  /// Entries may have been missed: the log doesn't reach back to the last one that was heard, or it is another log.
  /// What it has is heard next, from its first entry on.
  std::function<void()> lost;
  /// There is no more for now.
  std::function<void()> caught_up = [] {};
};

/// Tells every entry of a log once, in order, from the first one kept: at the start, when a word is published on the
/// channel of the log's name, and, of a store that is shared or gone, every second, or less often beside hundreds of
/// others (Pace). Ids don't compare, so it reads from the entry before the last one that it has heard: when the first
/// answer is another one, something was lost. One thread.
class LogFollower {
 public:
  struct Listener {
    explicit Listener(LogEars ears) : ears(std::move(ears)) {}
    std::mutex mutex;  // held during a call
    bool is_there = true;
    LogEars ears;
  };
  /// Listens until it is destroyed; then no call is under way any more. Not to be destroyed within one. Any thread.
  class Subscription {
   public:
    Subscription() = default;
    explicit Subscription(std::shared_ptr<Listener> listener) : listener_(std::move(listener)) {}
    Subscription(Subscription&&) noexcept = default;
    Subscription& operator=(Subscription other) noexcept {
      std::swap(listener_, other.listener_);
      return *this;
    }
    ~Subscription();

   private:
    std::shared_ptr<Listener> listener_;  // and the follower's, which may live longer, or shorter
  };

  /// What the followers of one thread may ask of the store together, however many they are: a store that is well
  /// answers that in time.
  class Pace {
   public:
    static constexpr uint32_t kMostReads = 16;  // at a time
    static constexpr Duration kInterval = std::chrono::seconds(1);
    /// Between two looks of one follower that hears no word: all together look 500 times a second at most.
    Duration interval() const { return std::max<Duration>(kInterval, kBetween * followers); }

    int64_t followers = 0;
    Semaphore reads{kMostReads};

   private:
    static constexpr Duration kBetween = std::chrono::milliseconds(2);
  };

  /// `pace` and the loop outlive it.
  LogFollower(Loop& loop, Channels& channels, BlockPool& blocks, Pace& pace, std::string log,
              std::shared_ptr<Listener> listener);
  LogFollower(const LogFollower&) = delete;
  LogFollower& operator=(const LogFollower&) = delete;
  ~LogFollower() { --pace_.followers; }

  /// From here on this one; goes on where it was.
  void follow(Store& store);
  void stop() { task_.reset(); }
  bool is_listened_to() const;

 private:
  static constexpr size_t kPage = 512;  // more than a LogWriter writes at once
  struct Kept {
    std::string id;
    std::string value;
  };
  enum class Outcome : uint8_t { more, all_heard, lost, failed };
  Task<> run(Store& store);
  Task<Outcome> read_on(Store& store);
  bool begins_with_last(std::span<const Entry> entries) const;
  template <class Tell>
  void tell(Tell tell);
  void wake() { wake_->set(); }

  Loop& loop_;
  BlockPool& blocks_;
  Pace& pace_;
  const std::string log_;
  std::shared_ptr<Listener> listener_;
  std::string before_;           // the id of the entry before the last one heard; "" = it was the first
  std::optional<Kept> last_;     // heard
  bool has_lost_ = false;        // since it has last heard all
  std::shared_ptr<Event> wake_;  // words on their way from other threads know whether it is still there
  Alarm<LogFollower, &LogFollower::wake> alarm_;
  Channels::Subscription words_;
  Task<> task_;
};

}  // namespace weir::store
