#pragma once

#include <memory>
#include <string>

#include "store/channels.h"
#include "store/redis_nodes.h"

namespace weir::store {

/// Hears what any process publishes in a Redis, over a connection of its own, and tells this process' Channels. What is
/// said while it isn't connected is lost. A server without a sign of life for some seconds is left. One for each
/// process; one thread.
class RedisSubscriber {
 public:
  RedisSubscriber(Loop& loop, std::shared_ptr<RedisShared> shared, Channels& channels);

 private:
  Task<> listen();
  Task<> stay(RedisNodes::NodeRef node, RedisConnection& connection);
  void tell_lost(const RedisNodes::Node& node);
  void hear(std::string_view channel, std::string_view text);

  Loop& loop_;
  std::shared_ptr<RedisShared> shared_;
  Channels& channels_;
  const std::string prefix_;
  RedisNodes nodes_;
  RedisConnection::Hear hear_;
  std::string told_;  // last logged reason; cleared by a subscription of some seconds
  Task<> task_;
};

}  // namespace weir::store
