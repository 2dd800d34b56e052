#include "store/redis_nodes.h"

#include "store/redis_sentinel.h"

namespace weir::store {

RedisNodes::RedisNodes(Loop& loop, RedisShared& shared) : loop_(loop), shared_(shared), is_stale_(loop) {
  const RedisSettings& settings = shared.settings;
  const RedisAddress& first = settings.servers.front();
  if (is_cluster()) {
    map_task_ = keep_map();
    map_task_.start();
  } else if (settings.sentinel_master.empty()) {
    single_ = make(first.text(), finder_of(first), first, RedisLink::Expect::any);
  } else {
    single_ = make(settings.sentinel_master, sentinels(), settings.master_login, RedisLink::Expect::master);
  }
}

RedisNodes::NodeRef RedisNodes::of(std::string_view key) {
  if (!is_cluster()) return single_;
  const std::string* owner = map_.owner(slot_of(key));
  return node(owner ? *owner : shared_.settings.servers.front().text());
}

/// Limits the connections that redirections can cause: nodes outside the map are dropped when the next map is read.
RedisNodes::NodeRef RedisNodes::follow(const Redirection& redirection) {
  constexpr size_t kMostStrangers = 16;
  const auto& to = redirection.node;
  const size_t known = masters_ + shared_.settings.servers.size();
  if (!nodes_.contains(to) && nodes_.size() >= known + kMostStrangers) return nullptr;
  if (redirection.kind == Redirection::Kind::moved) {
    map_.move(redirection.slot, to);
    is_stale_.set();
  }
  return node(to);
}

void RedisNodes::failed(Node& node, Fault fault) {
  if (is_cluster() && fault != Fault::out_of_memory) is_stale_.set();
  // A master that was deposed, or that doesn't even answer the breaker's one call a second: there may be another.
  if (fault == Fault::read_only || (fault == Fault::timeout && node.health->is_open())) node.link.drop(name_of(fault));
}

// --- how they are found

RedisNodes::NodeRef RedisNodes::make(std::string name, std::unique_ptr<RedisFinder> finder, const RedisAddress& login,
                                     RedisLink::Expect expect) {
  const RedisLink::Login as{login.user, login.password, login.database};
  return std::make_shared<Node>(loop_, shared_, std::move(name), std::move(finder), as, expect);
}

net::Resolver& RedisNodes::resolver() {
  if (!resolver_) resolver_ = std::make_unique<net::Resolver>(loop_, shared_.settings.resolver);
  return *resolver_;
}

std::unique_ptr<RedisFinder> RedisNodes::finder_of(const RedisAddress& server) {
  const bool has_name = server.path.empty() && !net::Address::parse_ip(server.host, server.port);
  return std::make_unique<NamedServer>(server, has_name ? &resolver() : nullptr);
}

std::unique_ptr<RedisFinder> RedisNodes::sentinels() {
  std::vector<SentinelFinder::Sentinel> sentinels;
  for (const auto& address : shared_.settings.servers) sentinels.push_back({finder_of(address), address});
  return std::make_unique<SentinelFinder>(loop_, shared_, std::move(sentinels), resolver());
}

}  // namespace weir::store
