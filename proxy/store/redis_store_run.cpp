#include "store/redis_command.h"
#include "store/redis_store.h"

// How one command gets to the server that has its key.

namespace weir::store {

namespace {

constexpr int kMostHops = 5;  // from node to node of a Cluster

/// The answer to the next command counts; this one is sent right before it, and nobody waits for its own.
Task<> ask_first(RedisConnection& connection, Arena& arena, Time deadline) {
  (void)co_await connection.call(arena, redis_command(arena, {"ASKING"}), deadline);
}

}  // namespace

Task<Answer> RedisStore::run(Caller caller, Command command) {
  const auto kept = weak_from_this().lock();  // an exchange keeps the snapshot that it began with, not the newest
  auto node = nodes_.of(command.key);
  if (!node->health.admits(loop_.now())) {
    shared_->observer.called(StoreObserver::Outcome::spared);
    co_return std::unexpected(Fault::not_connected);
  }
  const Time deadline = loop_.now() + shared_->settings.timeout;
  const auto answer = co_await send(caller, node, command, deadline);
  count(*node, answer);
  co_return answer;
}

Task<Answer> RedisStore::send(Caller caller, RedisNodes::NodeRef& node, Command command, Time deadline) {
  bool is_asking = false;
  for (int hop = 0; hop < kMostHops; ++hop) {
    RedisConnection* connection = node->link.connection();
    if (!connection) {
      const auto ready = co_await node->link.ready(deadline);
      if (!ready) co_return std::unexpected(ready.error());
      connection = *ready;
    }
    Task<> asking;
    if (is_asking) {
      asking = ask_first(*connection, caller.arena, deadline);
      asking.start();
    }
    const auto answer = co_await connection->call(caller.arena, redis_command(caller.arena, command.words), deadline);
    if (!answer || !answer->is_error()) co_return answer;
    if (const auto redirection = Redirection::read(answer->text, node->name)) {
      is_asking = redirection->kind == Redirection::Kind::ask;
      node = nodes_.follow(*redirection);
      continue;
    }
    if (!command.script || !answer->text.starts_with("NOSCRIPT")) co_return std::unexpected(fault_of(*answer));
    command.words[0] = "EVAL";  // which teaches it the script
    command.words[1] = command.script->text;
    command.script = nullptr;
  }
  co_return std::unexpected(Fault::cluster_down);
}

void RedisStore::count(RedisNodes::Node& node, const Answer& answer) {
  using Outcome = StoreObserver::Outcome;
  shared_->observer.called(answer ? Outcome::ok : Outcome::failed);
  // A server that answers, if nonsense, is there.
  if (answer || answer.error() == Fault::unexpected) shared_->health.succeeded(node.health, loop_.now());
  else shared_->health.failed(node.health, name_of(answer.error()), loop_.now());
  if (answer) return;
  shared_->observer.failed(answer.error());
  nodes_.failed(node, answer.error());
}

}  // namespace weir::store
