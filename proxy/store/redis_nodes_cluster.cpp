#include <algorithm>

#include "async/race.h"
#include "store/redis_command.h"
#include "store/redis_nodes.h"

// The nodes of a Cluster, and its map.

namespace weir::store {

namespace {

constexpr Duration kMapTimeout = std::chrono::seconds(1);
constexpr Duration kBetweenMaps = std::chrono::milliseconds(100);  // at least
constexpr Duration kMapAge = std::chrono::minutes(1);

Task<bool> settled(Event& event) {
  co_await event.wait();
  co_return true;
}

}  // namespace

RedisNodes::NodeRef RedisNodes::node(const std::string& name) {
  auto& found = nodes_[name];
  if (found) return found;
  const RedisAddress& login = shared_.settings.servers.front();
  const auto address = RedisAddress::parse_node(name, login.port);
  found = make(name, finder_of(address ? *address : login), login, RedisLink::Expect::any);
  return found;
}

Task<> RedisNodes::keep_map() {
  for (;;) {
    is_stale_.clear();
    std::vector<std::string> names = map_.nodes();
    for (const auto& seed : shared_.settings.servers) names.push_back(seed.text());
    bool is_read = false;
    for (size_t i = 0; i < names.size() && !is_read; ++i) {
      Arena arena(blocks_);
      is_read = co_await read_map(arena, node(names[i]));
    }
    co_await sleep_for(loop_, kBetweenMaps);
    if (is_read) co_await before(loop_, loop_.now() + kMapAge, settled(is_stale_));
  }
}

Task<bool> RedisNodes::read_map(Arena& arena, NodeRef from) {
  const auto command = redis_command(arena, {"CLUSTER", "SLOTS"});
  const auto answer = co_await from->link.ask(arena, command, loop_.now() + kMapTimeout);
  if (!answer) co_return false;
  auto map = SlotMap::read(*answer, from->name);
  if (!map) co_return false;
  use(std::move(*map));
  co_return true;
}

/// Nodes that have no slot any more are let go, with their breakers.
void RedisNodes::use(SlotMap map) {
  map_ = std::move(map);
  const auto& names = map_.nodes();
  const auto is_kept = [&](const std::string& name) { return std::ranges::find(names, name) != names.end(); };
  for (const auto& name : names) node(name);
  std::erase_if(nodes_, [&](const auto& entry) { return !is_kept(entry.first); });
  shared_.health.keep_only(is_kept);
}

}  // namespace weir::store
