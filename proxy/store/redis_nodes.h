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
    Node(Loop& loop, RedisShared& shared, std::string name, std::unique_ptr<RedisFinder> finder,
         const RedisLink::Login& login, RedisLink::Expect expect)
        : name(std::move(name)),
          health(shared.health.server(this->name)),
          link(loop, shared, this->name, std::move(finder), login, expect) {}

    const std::string name;                      // "host:port"
    const std::shared_ptr<ServerHealth> health;  // shared by the nodes of this name on all threads
    RedisLink link;
  };
  using NodeRef = std::shared_ptr<Node>;  // shared with the calls under way, which may outlast its place in the Cluster

  RedisNodes(Loop& loop, RedisShared& shared);
  RedisNodes(const RedisNodes&) = delete;
  RedisNodes& operator=(const RedisNodes&) = delete;

  /// Who has `key`, as far as is known.
  NodeRef of(std::string_view key);
  /// The target of a redirection; null when too many nodes outside the map exist already.
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
  std::vector<std::string> who_may_know() const;
  Task<std::optional<SlotMap>> read_map(std::string from);
  Task<> use(SlotMap map);

  Loop& loop_;
  RedisShared& shared_;
  std::unique_ptr<net::Resolver> resolver_;  // once a server is given by name
  NodeRef single_;                           // unless it is a Cluster
  std::map<std::string, NodeRef> nodes_;     // of a Cluster
  SlotMap map_;
  size_t masters_ = 0;  // of the map when last read
  BlockPool blocks_{16 * 1024, 1};
  Event is_stale_;
  Task<> map_task_;
};

}  // namespace weir::store
