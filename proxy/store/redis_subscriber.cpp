#include "store/redis_subscriber.h"

#include "async/race.h"
#include "async/sleep.h"
#include "base/log.h"
#include "store/redis_keys.h"

namespace weir::store {

namespace {

constexpr Duration kPause = std::chrono::milliseconds(200);
constexpr Duration kSilence = std::chrono::seconds(5);  // between two PINGs

Task<bool> until_closed(RedisConnection& connection) {
  co_await connection.closed();
  co_return true;
}

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
    const bool was_subscribed = connection && (*connection)->subscribe(prefix_ + "*", hear_);
    if (was_subscribed) co_await stay(node, **connection);
    co_await sleep_for(loop_, kPause);
    if (was_subscribed) tell_lost(*node);
  }
}

/// Waits until the connection has ended. `connection` is valid only while the link returns the same connection.
Task<> RedisSubscriber::stay(RedisNodes::NodeRef node, RedisConnection& connection) {
  while (!co_await before(loop_, loop_.now() + kSilence, until_closed(connection))) {
    if (node->link.connection() != &connection) co_return;
    told_.clear();
    if (!connection.ping()) connection.close("the server gave no sign of life");
  }
}

/// Logs each reason once: a server may refuse for days.
void RedisSubscriber::tell_lost(const RedisNodes::Node& node) {
  if (node.link.why_lost() == told_) return;
  told_ = node.link.why_lost();
  log::warn("store_subscription_lost", {{"server", node.name}, {"cause", told_}});
}

void RedisSubscriber::hear(std::string_view channel, std::string_view text) {
  if (channel.starts_with(prefix_)) channels_.deliver(channel.substr(prefix_.size()), text);
}

}  // namespace weir::store
