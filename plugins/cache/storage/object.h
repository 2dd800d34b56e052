#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/units.h"
#include "http/message.h"
#include "plugins/cache/rules/conditions.h"
#include "plugins/cache/rules/vary.h"
#include "plugins/cache/storage/content.h"
#include "plugins/cache/storage/order_table.h"

namespace weir::plugins {

/// A stored response. What it says never changes (a 304 makes another one, with the same content); only what has been
/// found out about it does. Any thread.
struct Object {
  /// How long it may be used, and what for.
  struct Terms {
    Time born{};                  // when its age was 0
    Duration lifetime{};          // from then on
    Duration while_revalidate{};  // past the lifetime
    Duration if_error{};
    bool must_revalidate = false;    // never stale, whatever the circumstances (RFC 9111 section 4.2.4)
    bool always_revalidate = false;  // no-cache: fresh or not
    bool operator==(const Terms&) const = default;
  };

  /// Copies the head. `is_hidden(header)`: the field is kept, and not shown to clients.
  template <class IsHidden>
  Object(const http::ResponseHead& head, const Terms& terms, std::shared_ptr<Content> content, IsHidden is_hidden)
      : status(head.status), terms(terms), content(std::move(content)) {
    reserve(head.headers);
    for (const auto& header : head.headers) {
      if (!is_hidden(header)) keep(header);
    }
    shown_ = fields_.size();
    for (const auto& header : head.headers) {
      if (is_hidden(header)) keep(header);
    }
    find_validators();
  }
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;

  Duration age(Time now) const { return now - terms.born; }
  /// Below 0: it is stale.
  Duration time_left(Time now) const {
    const auto left = terms.lifetime - age(now);
    return is_expired.load(std::memory_order_relaxed) && left > Duration{} ? Duration{} : left;
  }
  /// In seconds, as Cache-Status has it.
  int64_t ttl(Time now) const { return std::chrono::floor<std::chrono::seconds>(time_left(now)).count(); }
  bool is_fresh(Time now) const { return time_left(now) > Duration{}; }
  /// Applies the verdict of the purges, other than `gone`.
  void heed(PurgeVerdict verdict) const {
    if (verdict != PurgeVerdict::keep) is_expired = true;
    if (verdict == PurgeVerdict::doubtful) is_doubtful = true;
  }
  /// All that it takes beside its content.
  size_t overhead() const;

  const uint16_t status;
  const Terms terms;
  Selection selection;         // set before it is shared, as are those below
  std::vector<uint64_t> tags;  // Purges::hash_of_tag, sorted
  Time received{};
  Duration took{};  // from request to response: what another would cost
  const std::shared_ptr<Content> content;

  std::span<const http::Header> fields() const { return fields_; }
  std::span<const http::Header> shown() const { return fields().first(shown_); }
  const Validators& validators() const { return validators_; }

  mutable std::atomic<uint64_t> purges_seen = 0;
  mutable std::atomic<bool> is_expired = false;     // by a soft purge
  mutable std::atomic<bool> is_doubtful = false;    // a purge may have been missed: not used before it is validated
  mutable std::atomic<bool> is_refreshing = false;  // behind the clients' backs (Shelf::Refresh)

 private:
  void reserve(const http::Headers& headers);
  void keep(const http::Header& header);
  void find_validators();

  std::unique_ptr<char[]> text_;  // of the fields
  size_t text_size_ = 0;
  char* at_ = nullptr;
  std::vector<http::Header> fields_;
  size_t shown_ = 0;
  Validators validators_;
};
using ObjectPtr = std::shared_ptr<const Object>;

}  // namespace weir::plugins
