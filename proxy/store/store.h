#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "async/task.h"
#include "base/arena.h"
#include "base/result.h"
#include "base/units.h"
#include "store/claim.h"
#include "store/limit.h"

namespace weir::store {

/// On whose behalf the store works: results live in its arena, and so do the frames.
struct Caller {
  Arena& arena;
  Arena* frame_arena() const { return &arena; }
};

/// One entry of a log. Ids grow; they compare by the store that gave them only.
struct Entry {
  std::string_view id;
  std::string_view value;
};

/// State that requests share, by intent: over one process (MemoryStore) or over machines (Redis). Each call is atomic.
/// An Error is store_unavailable: whoever called decides what that means. Keys, values and spans given must live until
/// the call is over. One worker's view of it: its thread.
class Store {
 public:
  virtual ~Store() = default;

  /// Takes `cost` from every quota or, when one of them hasn't got it, from none. At most kMostLimits, of
  /// different names or keys.
  virtual Task<Result<Decision>> take(Caller caller, std::span<const Take> quotas) = 0;

  /// Makes `owner` the one who does what `key` stands for, or says why not. Of two at once one gets it.
  virtual Task<Result<Claim>> claim(Caller caller, std::string_view key, ClaimTerms terms) = 0;
  /// Prolongs the lease. False when `owner` hasn't got the claim any more; then nothing has changed.
  virtual Task<Result<bool>> renew(Caller caller, std::string_view key, std::string_view owner, Duration lease) = 0;
  /// Ends it with a result, kept for so long. False as above.
  virtual Task<Result<bool>> complete(Caller caller, std::string_view key, std::string_view owner,
                                      std::string_view result, Duration keep) = 0;
  /// Gives it up, as though it had never been claimed. False as above.
  virtual Task<Result<bool>> release(Caller caller, std::string_view key, std::string_view owner) = 0;

  /// What was put there last, unless its time is over, it is longer than `most` bytes, or empty. No more than that is
  /// read from wherever it is kept.
  virtual Task<Result<std::optional<std::string_view>>> get(Caller caller, std::string_view key, size_t most) = 0;
  virtual Task<Result<>> put(Caller caller, std::string_view key, std::string_view value, Duration keep) = 0;
  /// As `put`, for what may as well be missing: false, and nothing was put, when the memory that is left is wanted for
  /// what counts.
  virtual Task<Result<bool>> put_spare(Caller caller, std::string_view key, std::string_view value, Duration keep) {
    const auto done = co_await put(caller, key, value, keep);
    if (!done) co_return std::unexpected(done.error());
    co_return true;
  }
  /// Whether there was something.
  virtual Task<Result<bool>> remove(Caller caller, std::string_view key) = 0;

  /// Adds entries, at least one, to the end of a log, which keeps its last `most`; the last one's id.
  virtual Task<Result<std::string_view>> append_all(Caller caller, std::string_view log,
                                                    std::span<const std::string_view> values, size_t most) = 0;
  Task<Result<std::string_view>> append(Caller caller, std::string_view log, std::string_view value, size_t most) {
    const auto values = caller.arena.make_list<std::string_view>(1);
    values[0] = value;
    return append_all(caller, log, values, most);
  }
  /// Up to `count` entries behind the one with id `after` ("" = from the first one kept), in their order.
  virtual Task<Result<std::span<const Entry>>> read(Caller caller, std::string_view log, std::string_view after,
                                                    size_t count) = 0;

  /// Says `text` to all who listen to `channel` (channels.h), in this process and in those that share the store.
  virtual Task<Result<>> publish(Caller caller, std::string_view channel, std::string_view text) = 0;

  /// The same store for large values that no decision waits for, as pages of a cache are: over a connection of its own,
  /// so that calls made here delay and fail none of the others. A call that would be one too many fails at once.
  virtual Store& bulk() { return *this; }

  /// Whether other processes may use it, too, so that not all that happens to it is published for certain.
  virtual bool is_shared() const { return false; }
  /// Processes that share it, this one included: as last known, while it is gone.
  virtual uint32_t instances() const { return 1; }
};

}  // namespace weir::store
