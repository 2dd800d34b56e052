#include <algorithm>

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

/// The same with the script's text in place of its hash: a server that doesn't know it learns it so.
std::string_view with_text(Arena& arena, std::string_view command, const RedisScript& script) {
  const auto count = command.substr(0, command.find('\n') + 1);
  const auto arguments = command.substr(command.find(script.sha1) + script.sha1.size() + 2);
  CommandWriter words(arena, 2, 4 + script.text.size());
  words.word("EVAL");
  words.word(script.text);
  return arena.concat({count, words.text(), arguments});
}

/// One more call, until it is over.
class UnderWay {
 public:
  explicit UnderWay(size_t& count) : count_(count) { ++count_; }
  UnderWay(const UnderWay&) = delete;
  UnderWay& operator=(const UnderWay&) = delete;
  ~UnderWay() { --count_; }

 private:
  size_t& count_;
};

}  // namespace

/// Calls of clients that have gone are over, but their answers are still to come.
bool RedisStore::is_full(const RedisConnection* connection) const {
  const auto& [calls, bytes] = shared_->backlog;
  return under_way_ >= calls || (connection && (connection->unanswered() >= calls || connection->unsent() > bytes));
}

/// An answer stays in the request's arena until the request ends: each has a bound of its own.
ReplyBounds RedisStore::bounds_of(const Command& command) {
  if (command.shape == Shape::list) return kLargeReply;
  return {std::max(kSmallReply.bytes, command.most), kSmallReply.items};
}

Task<Answer> RedisStore::run(Caller caller, Command command) {
  const auto kept = weak_from_this().lock();  // an exchange keeps the snapshot that it began with, not the newest
  auto node = nodes_.of(command.key);
  if (!node->health->admits(loop_.now())) {
    shared_->observer.called(StoreObserver::Outcome::spared);
    co_return std::unexpected(Fault::not_connected);
  }
  RedisConnection* const connection = node->link.connection();
  if (is_full(connection)) {  // says nothing of the server
    shared_->observer.called(StoreObserver::Outcome::full);
    co_return std::unexpected(Fault::overloaded);
  }
  const UnderWay counted(under_way_);
  const Time deadline = loop_.now() + shared_->settings.timeout;
  std::optional<Answer> answer;
  if (connection) answer = co_await connection->call(caller.arena, command.text, deadline, bounds_of(command));
  if (!answer || (*answer && (*answer)->is_error())) answer = co_await pursue(caller, node, command, deadline, answer);
  if (*answer && !fits(**answer, command.shape)) {
    shared_->tell_nonsense(node->name, command.name, loop_.now());
    shared_->observer.called(StoreObserver::Outcome::failed);
    co_return std::unexpected(Fault::unexpected);
  }
  count(*node, *answer);
  co_return *answer;
}

Task<Answer> RedisStore::pursue(Caller caller, RedisNodes::NodeRef& node, Command command, Time deadline,
                                std::optional<Answer> answer) {
  bool is_asking = false;
  for (int hop = 0; hop < kMostHops; ++hop) {
    if (!answer) {
      const auto ready = co_await node->link.ready(deadline);
      if (!ready) co_return std::unexpected(ready.error());
      Task<> asking;
      if (is_asking) {
        asking = ask_first(**ready, caller.arena, deadline);
        asking.start();
      }
      answer = co_await (*ready)->call(caller.arena, command.text, deadline, bounds_of(command));
    }
    if (!*answer || !(*answer)->is_error()) co_return *answer;
    const Reply error = **std::exchange(answer, std::nullopt);
    if (const auto redirection = Redirection::read(error.text, node->name)) {
      if (!shared_->settings.is_cluster) {
        shared_->tell_nonsense(node->name, "a redirection, though store.cluster is not set", loop_.now());
        co_return std::unexpected(Fault::cluster_down);
      }
      is_asking = redirection->kind == Redirection::Kind::ask;
      const auto next = nodes_.follow(*redirection);
      if (!next) co_return std::unexpected(Fault::cluster_down);
      node = next;
      continue;
    }
    if (!command.script || !error.text.starts_with("NOSCRIPT")) co_return std::unexpected(fault_of(error));
    command.text = with_text(caller.arena, command.text, *command.script);
    command.script = nullptr;
  }
  co_return std::unexpected(Fault::cluster_down);
}

bool RedisStore::fits(const Reply& answer, Shape shape) {
  switch (shape) {
    case Shape::integer: return answer.type == Reply::Type::integer;
    case Shape::text: return answer.type == Reply::Type::text;
    case Shape::list: return answer.type == Reply::Type::list;
  }
  return false;
}

void RedisStore::count(RedisNodes::Node& node, const Answer& answer) {
  using Outcome = StoreObserver::Outcome;
  shared_->observer.called(answer ? Outcome::ok : Outcome::failed);
  // A server that answers, if nonsense, is there; also one that is full, whose limits go on.
  const bool is_there = answer || answer.error() == Fault::unexpected || answer.error() == Fault::out_of_memory;
  if (is_there) shared_->health.succeeded(*node.health, loop_.now());
  else shared_->health.failed(*node.health, name_of(answer.error()), loop_.now());
  if (answer) return;
  shared_->observer.failed(answer.error());
  nodes_.failed(node, answer.error());
}

}  // namespace weir::store
