#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/paced.h"
#include "base/units.h"
#include "store/announcer.h"

namespace weir::plugins {

class Breaker;

/// One circuit and its namesakes in other processes: when one that was closed opens it says so on a channel, and leaves
/// word in the store for as long as it is open, for those who start later; who hears that lets probes find out by
/// themselves, and says nothing: once a second at most, whatever is said on the channel. A slot of process_state. Any
/// thread; nothing waits for the store, and without it each goes on alone.
class Peers {
 public:
  struct Settings {
    store::Announcer* announcer;
    std::shared_ptr<Breaker> breaker;
  };
  static bool compatible(const Settings& old, const Settings& now) {
    return old.announcer == now.announcer && old.breaker == now.breaker;
  }
  explicit Peers(const Settings& settings);
  Peers(const Peers&) = delete;
  Peers& operator=(const Peers&) = delete;

  /// The circuit has opened for so long: after it was closed, or because a probe failed, which is no news.
  enum class After : uint8_t { closed, probe };
  void tell_opened(After after, Duration rest);

 private:
  void hear(std::string_view text);

  store::Announcer& announcer_;
  const std::shared_ptr<Breaker> breaker_;
  const std::string channel_;
  const std::string id_;  // who hears it again has said it
  Paced doubts_;
  store::Channels::Subscription subscription_;
};

}  // namespace weir::plugins
