#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "store/redis_limits.h"
#include "store/redis_nodes.h"
#include "store/redis_scripts.h"
#include "store/redis_shared.h"
#include "store/store.h"

namespace weir::store {

/// The store in Redis, as one worker is connected to it: one command for each call, over one connection to each server;
/// time is Redis' own, to the microsecond. No call takes longer than the settings' timeout, and none is tried twice
/// after a failure. Its `bulk` is another one beside it, made when first asked for. One thread. One that is shared
/// lives until its calls are over, since a reload may let go of it before; those of another end, or are destroyed,
/// first.
class RedisStore final : public Store, public std::enable_shared_from_this<RedisStore> {
 public:
  /// The required type of an answer.
  enum class Shape : uint8_t { integer, text, list };

  RedisStore(Loop& loop, std::shared_ptr<RedisShared> shared);

  Task<Result<Decision>> take(Caller caller, std::span<const Take> quotas) override;
  Task<Result<Claim>> claim(Caller caller, std::string_view key, ClaimTerms terms) override;
  Task<Result<bool>> renew(Caller caller, std::string_view key, std::string_view owner, Duration lease) override;
  Task<Result<bool>> complete(Caller caller, std::string_view key, std::string_view owner, std::string_view result,
                              Duration keep) override;
  Task<Result<bool>> release(Caller caller, std::string_view key, std::string_view owner) override;
  Task<Result<std::optional<std::string_view>>> get(Caller caller, std::string_view key, size_t most) override;
  Task<Result<>> put(Caller caller, std::string_view key, std::string_view value, Duration keep) override;
  Task<Result<bool>> put_spare(Caller caller, std::string_view key, std::string_view value, Duration keep) override;
  Task<Result<bool>> remove(Caller caller, std::string_view key) override;
  Task<Result<std::string_view>> append_all(Caller caller, std::string_view log,
                                            std::span<const std::string_view> values, size_t most) override;
  Task<Result<std::span<const Entry>>> read(Caller caller, std::string_view log, std::string_view after,
                                            size_t count) override;
  Task<Result<>> publish(Caller caller, std::string_view channel, std::string_view text) override;
  /// Says that this process is alive; how many are.
  Task<Result<uint32_t>> beat(Caller caller);
  Store& bulk() override { return bulk_store(); }
  RedisStore& bulk_store();
  bool is_shared() const override { return true; }
  uint32_t instances() const override { return shared_->instances.load(std::memory_order_relaxed); }

 private:
  /// One command, as it is sent. A script's has its hash for its second word.
  struct Command {
    std::string_view key;  // decides on the server
    std::string_view text;
    Shape shape;
    std::string_view name;  // for the log
    const RedisScript* script = nullptr;
    size_t most = 0;  // bytes of a text that is the answer; 0: a short one
  };
  Command plain(Caller caller, std::string_view key, Shape shape, std::initializer_list<std::string_view> words);
  Command scripted(Caller caller, const RedisScript& script, std::string_view key, Shape shape,
                   std::span<const std::string_view> arguments);
  Command scripted(Caller caller, const RedisScript& script, std::string_view key, Shape shape,
                   std::initializer_list<std::string_view> arguments) {
    return scripted(caller, script, key, shape, std::span(arguments.begin(), arguments.size()));
  }
  std::string take_head(size_t quotas);
  /// A take, the server that it goes to and what that is told about new keys.
  struct TakeCommand {
    Command command;
    RedisNodes::NodeRef node;
    ServerRoom::Order order;
  };
  TakeCommand take_command(Caller caller, std::span<const Take> quotas);
  /// Takes what a look has found off the end of a reply. False when nothing is there.
  bool hear_room(RedisNodes::Node& node, std::string_view& text);

  /// The answer, which is no error reply and of the command's shape, within the timeout.
  Task<Answer> run(Caller caller, Command command);
  /// All that isn't a single question to a server that is connected; `answer` is what that one came to. `node` becomes
  /// the one that answered.
  Task<Answer> pursue(Caller caller, RedisNodes::NodeRef& node, Command command, Time deadline,
                      std::optional<Answer> answer);
  static ReplyBounds bounds_of(const Command& command);
  static bool fits(const Reply& answer, Shape shape);
  /// Counts and logs an answer of the right shape with a meaningless content.
  std::unexpected<Error> nonsense(const Command& command);
  void count(RedisNodes::Node& node, const Answer& answer);
  /// True when one more command would be more than may be on their way.
  bool is_full(const RedisConnection* connection) const;
  /// 1 or 0.
  Task<Result<bool>> ask(Caller caller, Command command);

  std::string_view key(Caller caller, std::string_view kind, std::string_view name);

  Loop& loop_;
  std::shared_ptr<RedisShared> shared_;  // two owners: workers, and the snapshot that the next one takes it from
  RedisNodes nodes_;
  RedisLimits limits_;
  BlockPool blocks_{4096, 1};
  std::array<std::string, kMostLimits + 1> take_heads_;  // by the number of quotas; made when first needed
  size_t under_way_ = 0;                                 // calls
  std::shared_ptr<RedisStore> bulk_;                     // its calls may be under way when this one goes, too
};

}  // namespace weir::store
