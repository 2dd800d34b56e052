#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "async/broadcast.h"
#include "base/error.h"
#include "plugins/cache/storage/attendance.h"
#include "plugins/cache/storage/object.h"

namespace weir::plugins {

/// One question to the origin, on behalf of all who ask the same meanwhile. Any thread.
class Fill {
 public:
  struct Outcome {
    enum class Kind : uint8_t {
      object,       // to be had by all whose request it matches; its content may still come
      failed,       // no response, or one of status 5xx: of the request that asked, never handed to another client
      uncacheable,  // there is one, for who asked first alone
    } kind;
    ObjectPtr object;            // of `failed`: another process's, which may stand in
    bool was_validated = false;  // a 304 said that the stored one still holds
    bool is_from_store = false;  // another process had it
    std::optional<Error> error;  // of `failed`, its text for ever
    uint16_t status = 0;         // as the origin has it; 0 = none
    std::string_view why;        // of `uncacheable`: a literal
  };

  enum class Company : bool { no, yes };
  /// `expected`: what it is about to be chosen by, as far as is known.
  Fill(Selection expected, Time began, uint64_t purges_seen, Company company)
      : expected(std::move(expected)), began(began), purges_seen(purges_seen), company(company) {}

  std::optional<Outcome> outcome() const {
    const std::lock_guard lock(mutex_);
    return outcome_;
  }
  /// The fill waits for something that is its own client's: nobody else waits for the fill any more, and nobody joins
  /// it.
  void dismiss() {
    is_dismissed_ = true;
    changed.notify();
  }
  bool is_dismissed() const { return is_dismissed_; }
  /// Once; later ones are ignored.
  void settle(Outcome outcome) {
    {
      const std::lock_guard lock(mutex_);
      if (outcome_) return;
      outcome_ = std::move(outcome);
    }
    changed.notify();
  }

  const Selection expected;
  const Time began;
  const uint64_t purges_seen;  // orders to forget that came before it
  const Company company;
  const std::shared_ptr<Attendance> attendance = std::make_shared<Attendance>();
  std::atomic<bool> is_outdated = false;  // what it brings isn't to be kept
  std::atomic<bool> is_kept = false;      // it is on the shelf, or will be, as far as is known by now
  Broadcast changed;                      // there is an outcome, or it was dismissed

 private:
  std::atomic<bool> is_dismissed_ = false;
  mutable std::mutex mutex_;
  std::optional<Outcome> outcome_;
};
using FillPtr = std::shared_ptr<Fill>;

}  // namespace weir::plugins
