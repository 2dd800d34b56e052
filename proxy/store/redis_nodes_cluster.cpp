#include <algorithm>

#include "async/first_of.h"
#include "store/redis_command.h"
#include "store/redis_nodes.h"

// The nodes of a Cluster, and its map.

namespace weir::store {

namespace {

constexpr Duration kMapTimeout = std::chrono::seconds(1);
constexpr Duration kBetweenQuestions = std::chrono::milliseconds(100);  // while no answer has arrived
constexpr Duration kBetweenMaps = std::chrono::milliseconds(100);       // at least
constexpr Duration kAfterChange = std::chrono::seconds(1);              // at least; redirections cover newer changes
constexpr Duration kMapAge = std::chrono::minutes(1);

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
    std::vector<Task<std::optional<SlotMap>>> questions;
    for (auto& name : who_may_know()) questions.push_back(read_map(std::move(name)));
    const Duration all = kBetweenQuestions * static_cast<int64_t>(questions.size()) + kMapTimeout;
    auto map = co_await first_of(loop_, loop_.now() + all, kBetweenQuestions, std::move(questions));
    const bool is_known = map.has_value();
    const bool is_new = map && *map != map_;
    if (map) use(std::move(*map));
    co_await sleep_for(loop_, is_new ? kAfterChange : kBetweenMaps);
    if (is_known) co_await before(loop_, loop_.now() + kMapAge, detail::until_set(is_stale_));
  }
}

/// The masters, and the servers of the settings between the first masters.
std::vector<std::string> RedisNodes::who_may_know() const {
  std::vector<std::string> names = map_.nodes();
  size_t place = 1;
  for (const auto& seed : shared_.settings.servers) {
    if (map_.has(seed.text())) continue;
    names.insert(names.begin() + static_cast<std::ptrdiff_t>(std::min(place, names.size())), seed.text());
    place += 2;
  }
  return names;
}

/// Nothing also when the server does not answer.
Task<std::optional<SlotMap>> RedisNodes::read_map(std::string from) {
  const auto asked = node(from);
  Arena arena(blocks_);
  const auto command = redis_command(arena, {"CLUSTER", "SLOTS"});
  const auto answer = co_await asked->link.ask(arena, command, loop_.now() + kMapTimeout, kLargeReply);
  if (!answer) co_return std::nullopt;
  auto map = SlotMap::read(*answer, asked->name);
  if (!map && !answer->is_error()) shared_.tell_nonsense(asked->name, "CLUSTER SLOTS", loop_.now());
  co_return map;
}

/// Nodes that have no slot any more are let go, with their breakers.
void RedisNodes::use(SlotMap map) {
  map_ = std::move(map);
  masters_ = map_.nodes().size();
  const auto is_kept = [&](const std::string& name) { return map_.has(name); };
  for (const auto& name : map_.nodes()) node(name);
  std::erase_if(nodes_, [&](const auto& entry) { return !is_kept(entry.first); });
  shared_.health.keep_only(is_kept);
}

}  // namespace weir::store
