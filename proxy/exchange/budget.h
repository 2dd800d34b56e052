#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>
#include <utility>

#include "base/fair_share.h"
#include "base/recent_counts.h"
#include "base/units.h"

namespace weir {

/// Keeps what Weir itself adds to the load (retries, hedges) to a share of what clients ask for, so that a failing
/// upstream isn't buried. Two bounds hold at once: on those under way, and on those begun in the last `window`. No
/// client uses them up for others: where a few have had the window's extras, as many again are for those that have had
/// fewer than are left of them. A slot of process_state: any thread, no locks; close to exact.
class Budget {
 public:
  struct Settings {
    Ratio ratio{0.2};
    uint32_t min = 10;        // in a window, however few requests there are
    uint32_t concurrent = 3;  // at once, however few requests there are
    Duration window = std::chrono::seconds(10);
    bool operator==(const Settings&) const = default;
  };
  static bool compatible(const Settings& old, const Settings& now) { return old == now; }
  explicit Budget(const Settings& settings) : settings_(settings), by_client_(settings.window) {}
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;

  /// One of a number that goes down again when this goes.
  class Place {
   public:
    explicit Place(std::atomic<int64_t>& count) : count_(&count) {}
    Place(Place&& other) noexcept : count_(std::exchange(other.count_, nullptr)) {}
    Place& operator=(Place&& other) noexcept {
      std::swap(count_, other.count_);
      return *this;
    }
    ~Place() {
      if (count_) count_->fetch_sub(1, std::memory_order_relaxed);
    }

   private:
    std::atomic<int64_t>* count_;
  };

  /// A client's request begins.
  Place enter(Time now);
  /// Leave for one more, for a client, held from when it is decided until it is over; none when there is none. When the
  /// places are taken, a few clients that have none of them get one beside.
  FairShare::Place spend(Time now, std::string_view client);

  int64_t extras() const { return extras_.taken(); }

 private:
  static constexpr int64_t kPeriods = 10;  // of which a window is made
  struct alignas(64) Period {
    std::atomic<int64_t> number{-1};
    std::atomic<int64_t> requests{0};
    std::atomic<int64_t> extras{0};
  };
  int64_t number_of(Time now) const { return now.time_since_epoch() / (settings_.window / kPeriods); }
  Period& period(int64_t number);
  bool allows_in_window(Time now, std::string_view client) const;

  const Settings settings_;
  alignas(64) std::atomic<int64_t> requests_{0};  // under way
  FairShare extras_;
  std::array<Period, kPeriods> periods_;
  RecentCounts by_client_;  // extras
};

}  // namespace weir
