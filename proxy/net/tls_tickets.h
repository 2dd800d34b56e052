#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <optional>

#include "async/clock.h"

namespace weir::net {

/// The keys that session tickets are sealed with (RFC 5077 section 4): one ring for all listeners and workers, over
/// reloads, so that a client resumes wherever it comes back. A key seals for 12 h, and opens for 12 h more.
/// Thread-safe.
class TicketKeys {
 public:
  static constexpr Duration kRotation = std::chrono::hours(12);

  struct Key {
    std::array<unsigned char, 16> name;
    std::array<unsigned char, 32> cipher;
    std::array<unsigned char, 32> authentication;
    Time made;
  };

  explicit TicketKeys(const Clock& clock) : clock_(clock) {}
  ~TicketKeys();

  /// The one to seal with.
  Key current();
  /// The one that a ticket names; nothing when it is too old, or nobody's. `is_current` says no when the ticket is to
  /// be sealed anew.
  struct Found {
    Key key;
    bool is_current;
  };
  std::optional<Found> find(const unsigned char* name);

 private:
  void rotate();

  const Clock& clock_;
  std::mutex mutex_;
  std::optional<Key> current_;
  std::optional<Key> previous_;
};

}  // namespace weir::net
