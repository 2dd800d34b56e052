#include "store/redis_subscriber.h"

#include "async/sleep.h"
#include "store/redis_keys.h"

namespace weir::store {

namespace {

constexpr Duration kPause = std::chrono::milliseconds(200);

}  // namespace

RedisSubscriber::RedisSubscriber(Loop& loop, std::shared_ptr<RedisShared> shared, Channels& channels)
    : loop_(loop),
      shared_(std::move(shared)),
      channels_(channels),
      prefix_(channel_prefix(shared_->settings.prefix)),
      nodes_(loop, *shared_),
      hear_([this](std::string_view channel, std::string_view text) { hear(channel, text); }),
      task_(listen()) {
  task_.start();
}

/// In a Cluster any node will do: they pass on to each other what is published.
Task<> RedisSubscriber::listen() {
  for (;;) {
    const auto node = nodes_.of(prefix_);
    const auto connection = co_await node->link.ready(loop_.now() + std::chrono::seconds(1));
    if (connection && (*connection)->subscribe(prefix_ + "*", hear_)) co_await (*connection)->closed();
    co_await sleep_for(loop_, kPause);
  }
}

void RedisSubscriber::hear(std::string_view channel, std::string_view text) {
  if (channel.starts_with(prefix_)) channels_.deliver(channel.substr(prefix_.size()), text);
}

}  // namespace weir::store
