#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/arena.h"
#include "store/redis_reply.h"

struct redisReader;

namespace weir::store {

/// How large a reply may be: the bytes of its texts, and the items of its lists, together.
struct ReplyBounds {
  size_t bytes;
  size_t items;
};
inline constexpr ReplyBounds kSmallReply{64 << 10, 64};       // a number, a decision, an error
inline constexpr ReplyBounds kLargeReply{80 << 20, 1 << 19};  // a stored value (64 MiB and a head), a map of a Cluster

/// Reads replies (RESP2) from the bytes of a server with hiredis' parser, each into the arena of its own reader. Checks
/// what the parser does not: lengths are refused before memory is spent on them. One thread.
class RedisReader {
 public:
  static constexpr size_t kMostLine = 64 << 10;  // bytes of a status, an error or an integer

  RedisReader();
  RedisReader(const RedisReader&) = delete;
  RedisReader& operator=(const RedisReader&) = delete;
  ~RedisReader();

  void feed(std::string_view bytes);
  /// Bytes were fed that belong to no reply yet.
  bool has_unread() const;
  /// The next whole reply, whose texts and items are in `arena`. Nothing while it is incomplete, and after a breach of
  /// the protocol (`problem`), which a reply beyond `bounds` is, too. All calls for one reply name the same arena until
  /// one names none: from then on the rest of this reply is dropped, whatever is named, and the arena may be gone.
  std::optional<Reply> next(Arena* arena, ReplyBounds bounds = kLargeReply);
  /// The breach of the protocol; "" = none. Nothing can be read after one.
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
  Reply root_;                // of the reply that is being read
  Arena* arena_ = nullptr;    // null: it is dropped
  bool is_dropping_ = false;  // it is incomplete, and the rest is dropped, too
  ReplyBounds bounds_ = kLargeReply;
  size_t bytes_ = 0;  // of it, so far
  size_t items_ = 0;
  bool has_large_buffer_ = false;
  std::string problem_;
};

}  // namespace weir::store
