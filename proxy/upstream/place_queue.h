#pragma once

#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "async/loop.h"
#include "async/sleep.h"
#include "exchange/attempts.h"

namespace weir::upstream {

struct EndpointState;

/// Requests of all workers that wait for a place on one of an upstream's endpoints, first come first served. A place
/// that is free again is promised to the first request that may go there, and nobody else takes it. A request that may
/// not go to that endpoint holds up nobody. Lives longer than its places.
///
///   auto place = queue.enter(loop, capacity, wish);       // nothing: the line is full
///   while (co_await place->turn(deadline)) {              // false: too late
///     auto taken = try_take(place->promised());
///     if (!taken) { place->missed(); continue; }          // it stays where it is in the line
///     place->took(*taken);
///     co_return taken;
///   }
class PlaceQueue {
  struct Entry;
  using Line = std::list<std::shared_ptr<Entry>>;

 public:
  /// Where a request may go.
  struct Wish {
    const void* upstream = nullptr;  // that of its snapshot: each snapshot has endpoints of its own
    const Attempts* but = nullptr;   // which must not change while it waits: no endpoint tried by them; null: any
  };

  PlaceQueue() = default;
  PlaceQueue(const PlaceQueue&) = delete;
  PlaceQueue& operator=(const PlaceQueue&) = delete;

  // Any thread.
  /// Someone is in line or has been called.
  bool is_awaited() const { return places_.load() != 0; }
  uint32_t size() const { return places_.load(); }
  /// Someone waits who could go to any endpoint of that upstream: nobody overtakes.
  bool is_awaited_for(const void* upstream) const;
  /// Gives back a place on the endpoint: to the first in line that may go there, if there is one.
  void vacate(const std::shared_ptr<EndpointState>& endpoint);
  /// Endpoints may have become available: calls one after another, in order, as long as they find a place.
  void call_all();

  class Turn;
  /// A place in line, given up by destruction. One thread.
  class Place {
   public:
    Place(Place&& other) noexcept = default;
    Place& operator=(Place&&) = delete;
    ~Place();

    /// True when it is this place's turn to try, false at `deadline`.
    Turn turn(Time deadline);
    /// The endpoint on which a place is kept for it; null: none.
    const EndpointState* promised() const;
    /// It was its turn, and it took a place on that endpoint.
    void took(const EndpointState& endpoint);
    /// There was no place for it.
    void missed();

   private:
    friend PlaceQueue;
    explicit Place(std::shared_ptr<Entry> entry) : entry_(std::move(entry)) {}
    std::shared_ptr<Entry> entry_;  // two owners: the place, and the letter on its way to it
  };

  /// The end of the line; nothing when `capacity` are in it already.
  std::optional<Place> enter(Loop& loop, uint32_t capacity, const Wish& wish);

 private:
  /// The requests without exceptions of one snapshot.
  struct Group {
    const void* upstream;
    uint32_t size;
  };
  /// Calls without a promise: more at once each time that all have found a place.
  struct Sweep {
    bool is_running = false;
    bool is_due_again = false;  // from the front
    uint64_t reached = 0;       // the number of the last that was called
    size_t at_once = 1;
    std::list<Entry*> called;               // on their way
    std::vector<const void*> disappointed;  // snapshots whose endpoints have no place
  };
  enum class Found : uint8_t { place, nothing };

  static bool accepts(const Entry& entry, const EndpointState& endpoint);
  // With the mutex held:
  void keep_promise(std::shared_ptr<EndpointState> endpoint, uint64_t after, const void* but_for);
  void call(Line::iterator first);
  void begin_sweep();
  void go_on();
  void swept(Entry& entry, Found found);
  void back_in_line(const std::shared_ptr<Entry>& entry);
  void count(const Wish& wish, int more);

  std::atomic<uint32_t> places_{0};
  mutable std::mutex mutex_;  // guards what follows
  Line line_;                 // by number
  uint64_t numbers_ = 0;
  std::vector<Group> groups_;
  Sweep sweep_;
};

class PlaceQueue::Turn : Waiter {
 public:
  Turn(std::shared_ptr<Entry> entry, Time deadline);
  ~Turn();
  bool await_ready() const noexcept;
  void await_suspend(std::coroutine_handle<> awaiter);
  bool await_resume();

 private:
  friend PlaceQueue;
  void wake();

  std::shared_ptr<Entry> entry_;
  Time deadline_;
  Alarm<Turn, &Turn::wake> alarm_;
};

}  // namespace weir::upstream
