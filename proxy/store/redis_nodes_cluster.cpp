#include <algorithm>

#include "async/first_of.h"
#include "async/next_turn.h"
#include "store/redis_command.h"
#include "store/redis_nodes.h"

// The nodes of a Cluster, and its map.

namespace weir::store {

namespace {

constexpr Duration kMapTimeout = std::chrono::seconds(1);
constexpr Duration kBetweenQuestions = std::chrono::milliseconds(100);  // while no answer has arrived
constexpr Duration kBetweenMaps = std::chrono::milliseconds(100);       // at least
constexpr Duration kAfterChange = std::chrono::seconds(1);              // at least; redirections cover newer changes
constexpr size_t kNodesInTurn = 8;
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
    if (map) co_await use(std::move(*map));
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

/// Nodes that have no slot any more are let go, with their breakers. A few nodes in each turn of the loop: each is a
/// connection to open or to close.
Task<> RedisNodes::use(SlotMap map) {
  map_ = std::move(map);
  masters_ = map_.nodes().size();
  std::vector<NodeRef> gone;
  for (auto at = nodes_.begin(); at != nodes_.end();) {
    const auto node = at++;
    if (!map_.has(node->first)) gone.push_back(std::move(nodes_.extract(node).mapped()));
  }
  const auto masters = map_.nodes();  // a redirection may change the map meanwhile
  for (size_t i = 0; i < masters.size() || !gone.empty(); ++i) {
    if (i % kNodesInTurn == kNodesInTurn - 1) co_await next_turn(loop_);
    if (i < masters.size()) node(masters[i]);
    if (!gone.empty()) gone.pop_back();
  }
  shared_.health.keep_only([&](const std::string& name) { return map_.has(name); });
}

}  // namespace weir::store
