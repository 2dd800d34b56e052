#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "async/broadcast.h"
#include "base/error.h"
#include "base/list.h"
#include "base/units.h"
#include "plugins/cache/storage/account.h"
#include "plugins/cache/storage/attendance.h"

namespace weir::plugins {

/// The bytes of a response body, while the body arrives and afterwards. One task appends. Any number of readers on any
/// loop read from the start, as far as bytes have arrived. A whole body changes only by being dropped.
class Content : public ListNode {
 public:
  enum class State : uint8_t { growing, whole, broken };

  /// `announced`: the length, if known. `attendance`: notified of readers while the body arrives; may be null.
  explicit Content(std::optional<uint64_t> announced, std::shared_ptr<Attendance> attendance = nullptr)
      : announced_(announced), attendance_(std::move(attendance)) {}
  ~Content();
  Content(const Content&) = delete;
  Content& operator=(const Content&) = delete;

  std::optional<uint64_t> announced() const { return announced_; }
  bool is_exact() const { return is_exact_.load(std::memory_order_relaxed); }
  State state() const { return state_.load(std::memory_order_acquire); }
  /// Bytes of what has come, with the room kept for more.
  size_t footprint() const { return footprint_.load(std::memory_order_relaxed); }
  /// Only of one that is whole.
  uint64_t size() const { return size_; }

  /// What it takes counts there for as long as it lives. Before anybody else has it.
  void charge_to(std::shared_ptr<Account> account);
  /// Bytes that are charged there.
  int64_t charged() const;
  // The shelf's, under a mutex of its own: a content is in as many entries as objects have it.
  /// False when it was dropped: then it isn't there.
  bool enter_shelf();
  void leave_shelf();

  // The one task that fills it.
  void append(std::string_view bytes);
  enum class Exact : bool { no, yes };
  /// All bytes have come. `Exact::no`: nobody may store what reads it (`Body::is_exact`).
  void finish(Exact exact = Exact::yes);
  void fail(const Error& error);
  /// It won't be kept: from here on what all readers have read is dropped. For those who read already, or at once.
  void let_pass();
  /// Bytes that the slowest reader hasn't read yet; nothing when nobody reads.
  std::optional<uint64_t> backlog() const;
  /// From here on counts what each reader takes, for `cut_off`.
  void watch_readers();
  /// While it passes: whoever is further behind than `bytes`, and has taken less than `least` since `watch_readers`, is
  /// read to no more, if another has nothing to wait for but that. Whether there was one.
  bool cut_off(uint64_t bytes, uint64_t least);
  /// How quickly it will be gone: what its readers have taken within 10 s, in parts of what it takes itself. Nothing
  /// when it doesn't wait for them, or that isn't known yet. For `LooseBodies`, which asks once a second.
  std::optional<double> pace(Time now);
  /// Lets go of all bytes: readers find it broken.
  void drop();

  /// Bytes that stay as long as somebody owns them.
  struct Piece {
    std::shared_ptr<const char[]> owner;
    std::string_view bytes;  // empty: nothing there now
    State state = State::growing;
  };

  /// A place in it. Goes before the content.
  class Reader {
   public:
    explicit Reader(Content& content, uint64_t first = 0);
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    ~Reader();
    /// What comes next, at most `most` bytes.
    Piece next(uint64_t most);
    /// It came too late: its first bytes have passed.
    bool has_missed() const { return has_missed_; }
    /// Only when `next` has said that it is broken.
    Error error() const;

   private:
    friend Content;
    Content& content_;
    uint64_t at_;
    uint64_t watched_from_ = 0;  // where it was
    bool is_listed_ = false;
    bool is_cut_off_ = false;  // and not in the list any more
    bool has_missed_ = false;
    std::list<Reader*>::iterator place_;
  };
  Broadcast changed;  // more has come, or it is over
  Broadcast drained;  // somebody has begun to read, has read while it passes, or has left

 private:
  struct Part {
    std::shared_ptr<char[]> bytes;  // null: dropped
    uint64_t first = 0;
    uint32_t size = 0;
    uint32_t capacity = 0;
  };
  void grow(int64_t bytes);
  void charge();
  void add_part(size_t wanted);
  void trim();
  void drop_what_is_read();
  Piece look(uint64_t at, uint64_t most) const;
  void end(State state);

  const std::optional<uint64_t> announced_;
  const std::shared_ptr<Attendance> attendance_;
  std::shared_ptr<Account> account_;  // another owner: somebody reads after the shelf has gone
  int entries_ = 0;
  std::atomic<State> state_ = State::growing;
  std::atomic<size_t> footprint_ = 0;
  int64_t charged_ = 0;                   // to the account, while it is loose
  int64_t allowance_ = 0;                 // of its footprint, what isn't charged
  std::atomic<bool> is_passing_ = false;  // before it is whole
  std::atomic<bool> is_exact_ = true;
  mutable std::mutex mutex_;  // guards what follows
  std::vector<Part> parts_;
  size_t dropped_ = 0;  // parts, from the first one on, whose bytes are gone
  uint64_t size_ = 0;
  uint64_t passed_ = 0;    // bytes that are gone
  bool was_read_ = false;  // somebody has begun to
  // While it passes: the end of the first part whose bytes are there, and how many readers are before it. Only the last
  // of them to get there makes it worth looking at all.
  uint64_t held_until_ = 0;
  size_t holders_ = 0;
  std::optional<Error> error_;
  uint64_t taken_ = 0;  // bytes, by all readers together
  uint64_t taken_before_ = 0;
  Time paced_since_ = Time::min();
  std::optional<double> pace_;
  std::list<Reader*> readers_;
};

}  // namespace weir::plugins
