#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/arena.h"
#include "store/redis_reply.h"

struct redisReader;

namespace weir::store {

/// Limits of one reply: bytes of all texts, items of all lists.
struct ReplyBounds {
  size_t bytes;
  size_t items;
};
inline constexpr ReplyBounds kSmallReply{64 << 10, 64};       // a number, a decision, an error
inline constexpr ReplyBounds kLargeReply{80 << 20, 1 << 19};  // a page of a log, a map of a Cluster

/// Reads RESP2 replies from a server's bytes with hiredis' parser, each reply into the arena of its caller. Refuses
/// excessive lengths before allocating memory. One thread.
class RedisReader {
 public:
  static constexpr size_t kMostLine = 64 << 10;  // bytes of a status, an error or an integer

  RedisReader();
  RedisReader(const RedisReader&) = delete;
  RedisReader& operator=(const RedisReader&) = delete;
  ~RedisReader();

  void feed(std::string_view bytes);
  /// True if bytes were fed beyond the last whole reply.
  bool has_unread() const;
  /// The next whole reply, with texts and items in `arena`. Nothing while the reply is incomplete, or after a protocol
  /// breach (`problem`); a reply beyond `bounds` is a breach. Calls for the same reply pass the same arena, until a
  /// call passes null: the rest of the reply is then dropped, and the arena may be destroyed.
  std::optional<Reply> next(Arena* arena, ReplyBounds bounds = kLargeReply);
  /// Description of the protocol breach; "" = no breach. No reply can be read after a breach.
  const std::string& problem() const { return problem_; }

 private:
  struct Builder;
  struct Free {
    void operator()(redisReader* reader) const;
  };

  void begin_anew();
  std::string_view unread() const;
  void check_unfinished();
  void break_off(std::string problem);

  std::unique_ptr<redisReader, Free> parser_;
  Reply root_;                // of the current reply
  Arena* arena_ = nullptr;    // null: the current reply is dropped
  bool is_dropping_ = false;  // the current reply is incomplete and dropped
  ReplyBounds bounds_ = kLargeReply;
  size_t bytes_ = 0;  // of the current reply so far
  size_t items_ = 0;
  bool has_large_buffer_ = false;
  std::string problem_;
};

}  // namespace weir::store
