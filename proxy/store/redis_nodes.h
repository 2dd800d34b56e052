#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "net/resolver.h"
#include "store/redis_link.h"
#include "store/redis_shared.h"
#include "store/redis_slots.h"

namespace weir::store {

/// The servers of one Redis as one thread is connected to them, and which of them has a key: the one that there is, the
/// one that the sentinels call master, or that of the key's slot in a Cluster. A Cluster's map is read at the start,
/// whenever a node knows better or fails, and once a minute. One thread.
class RedisNodes {
 public:
  struct Node {
    const std::string name;  // "host:port"
    ServerHealth& health;
    RedisLink link;
  };
  using NodeRef = std::shared_ptr<Node>;  // shared with the calls under way, which may outlast its place in the Cluster

  RedisNodes(Loop& loop, RedisShared& shared);
  RedisNodes(const RedisNodes&) = delete;
  RedisNodes& operator=(const RedisNodes&) = delete;

  /// Who has `key`, as far as is known.
  NodeRef of(std::string_view key);
  /// Who a node of a Cluster has sent us to.
  NodeRef follow(const Redirection& redirection);
  /// What a call to it came to: whether the map, or the master, may have changed.
  void failed(Node& node, Fault fault);

 private:
  bool is_cluster() const { return shared_.settings.is_cluster; }
  NodeRef node(const std::string& name);
  NodeRef make(std::string name, std::unique_ptr<RedisFinder> finder, const RedisAddress& login,
               RedisLink::Expect expect);
  std::unique_ptr<RedisFinder> finder_of(const RedisAddress& server);
  std::unique_ptr<RedisFinder> sentinels();
  net::Resolver& resolver();

  Task<> keep_map();
  Task<bool> read_map(Arena& arena, NodeRef from);
  void use(SlotMap map);

  Loop& loop_;
  RedisShared& shared_;
  std::unique_ptr<net::Resolver> resolver_;  // once a server is given by name
  NodeRef single_;                           // unless it is a Cluster
  std::map<std::string, NodeRef> nodes_;     // of a Cluster
  SlotMap map_;
  BlockPool blocks_{16 * 1024, 1};
  Event is_stale_;
  Task<> map_task_;
};

}  // namespace weir::store
