#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace weir::store {

/// Who in this process listens for what `Store::publish` says, here and, with a shared store, in other processes. At
/// most once, in no promised order across publishers, and lost while the store is gone: for news that somebody would
/// find out later anyway. Any thread.
class Channels {
 public:
  /// On whatever thread the news comes in: hand it over (Loop::post), don't work there.
  using Hear = std::function<void(std::string_view text)>;

  /// Listens until it is destroyed; then no call is under way any more.
  class Subscription {
   public:
    Subscription() = default;
    Subscription(Subscription&& other) noexcept
        : channels_(std::exchange(other.channels_, nullptr)), channel_(std::move(other.channel_)), id_(other.id_) {}
    Subscription& operator=(Subscription other) noexcept {
      std::swap(channels_, other.channels_);
      std::swap(channel_, other.channel_);
      std::swap(id_, other.id_);
      return *this;
    }
    ~Subscription();

   private:
    friend Channels;
    Subscription(Channels& channels, std::string channel, uint64_t id)
        : channels_(&channels), channel_(std::move(channel)), id_(id) {}

    Channels* channels_ = nullptr;
    std::string channel_;
    uint64_t id_ = 0;
  };
  [[nodiscard]] Subscription subscribe(std::string channel, Hear hear);
  void deliver(std::string_view channel, std::string_view text);

 private:
  void remove(const std::string& channel, uint64_t id);

  std::mutex mutex_;
  std::map<std::string, std::map<uint64_t, Hear>, std::less<>> listeners_;  // by channel and id
  uint64_t last_id_ = 0;
};

}  // namespace weir::store
