#include "store/redis_reader.h"

#include <hiredis/read.h>

#include <algorithm>
#include <new>

#include "base/text.h"

// Invariants. hiredis calls the builder for each item, a list before the list's items, and keeps pointers to incomplete
// lists. The memory of a list is taken when the length is known; items are written in order as they arrive, and a list
// is returned only when complete. Without an arena, the builder follows no pointer.

namespace weir::store {

namespace {

constexpr size_t kLargeBuffer = 64 << 10;  // hiredis frees the buffer only when fed again
constexpr size_t kLongestLength = 22;      // sign, 19 digits, end of line

const std::string kLongLine = "a line of more than 64 KiB";

struct OutOfBounds {
  std::string problem;
};

}  // namespace

/// Functions for hiredis to call. Null ends the parsing.
struct RedisReader::Builder {
  static void* build(const redisReadTask& task, auto&& write) noexcept {
    auto& reader = *static_cast<RedisReader*>(task.privdata);
    try {
      if (!task.parent) reader.bytes_ = reader.items_ = 0;
      auto& item =
          reader.arena_ && task.parent ? place_in(*static_cast<Reply*>(task.parent->obj), task.idx) : reader.root_;
      write(reader, item);
      return &item;
    } catch (const OutOfBounds& out) {
      reader.problem_ = out.problem;
    } catch (const std::bad_alloc&) {
      reader.problem_ = "no memory for a reply";
    }
    return nullptr;
  }
  static Reply& place_in(const Reply& list, int index) { return const_cast<Reply&>(list.items[size_t(index)]); }

  static void* text(const redisReadTask* task, char* text, size_t size) noexcept {
    return build(*task, [&](RedisReader& reader, Reply& item) {
      if (task->type != REDIS_REPLY_STRING && size > kMostLine) throw OutOfBounds{kLongLine};
      const size_t most = reader.bounds_.bytes;
      if (size > most - std::min(reader.bytes_, most))
        throw OutOfBounds{"a reply with texts of more than " + std::to_string(most) + " bytes"};
      reader.bytes_ += size;
      if (!reader.arena_) return;
      const auto type = task->type == REDIS_REPLY_ERROR ? Reply::Type::error : Reply::Type::text;
      new (&item) Reply{.type = type, .text = reader.arena_->copy({text, size})};
    });
  }
  static void* list(const redisReadTask* task, int elements) noexcept {
    return build(*task, [&](RedisReader& reader, Reply& item) {
      const auto count = static_cast<size_t>(elements);
      const size_t most = reader.bounds_.items;
      if (count > most - std::min(reader.items_, most))
        throw OutOfBounds{"a reply of more than " + std::to_string(most) + " items"};
      reader.items_ += count;
      if (!reader.arena_) return;
      auto* const items = static_cast<Reply*>(reader.arena_->bump(count * sizeof(Reply), alignof(Reply)));
      new (&item) Reply{.type = Reply::Type::list, .items = {items, count}};
    });
  }
  static void* integer(const redisReadTask* task, long long value) noexcept {
    return build(*task, [&](RedisReader& reader, Reply& item) {
      if (reader.arena_) new (&item) Reply{.type = Reply::Type::integer, .integer = value};
    });
  }
  static void* nothing(const redisReadTask* task) noexcept {
    return build(*task, [&](RedisReader& reader, Reply& item) {
      if (reader.arena_) new (&item) Reply{};
    });
  }
  static void free(void*) noexcept {}
};

void RedisReader::Free::operator()(redisReader* reader) const { ::redisReaderFree(reader); }

RedisReader::RedisReader() { begin_anew(); }

RedisReader::~RedisReader() = default;

void RedisReader::begin_anew() {
  static redisReplyObjectFunctions functions{Builder::text, Builder::list, Builder::integer, Builder::nothing,
                                             Builder::free};
  parser_.reset(::redisReaderCreateWithFunctions(&functions));
  if (!parser_) throw std::bad_alloc();
  parser_->privdata = this;
  has_large_buffer_ = false;
}

std::string_view RedisReader::unread() const { return {parser_->buf + parser_->pos, parser_->len - parser_->pos}; }

bool RedisReader::has_unread() const { return parser_->len > parser_->pos; }

void RedisReader::feed(std::string_view bytes) {
  if (::redisReaderFeed(parser_.get(), bytes.data(), bytes.size()) != REDIS_OK) break_off("no memory for a reply");
}

std::optional<Reply> RedisReader::next(Arena* arena, ReplyBounds bounds) {
  if (!problem_.empty()) return std::nullopt;
  arena_ = is_dropping_ ? nullptr : arena;
  is_dropping_ = false;
  bounds_ = bounds;
  void* built = nullptr;
  if (::redisReaderGetReply(parser_.get(), &built) != REDIS_OK) {
    break_off(parser_->errstr);
    return std::nullopt;
  }
  if (!built) {
    is_dropping_ = !arena_ && parser_->ridx >= 0;
    check_unfinished();
    return std::nullopt;
  }
  if (has_large_buffer_ && !has_unread()) begin_anew();
  return arena_ ? root_ : Reply{};
}

/// hiredis waits for the whole item without a limit: for the end of a line, searched from the item's start at each
/// call, or for the bytes of a text. The unread bytes of an incomplete text start with the length.
void RedisReader::check_unfinished() {
  const auto rest = unread();
  const auto end = rest.substr(0, kLongestLength).find("\r\n");
  if (const auto length = end == rest.npos ? std::nullopt : parse_decimal(rest.substr(0, end))) {
    if (*length > bounds_.bytes) break_off("a text of " + std::to_string(*length) + " bytes");
    has_large_buffer_ |= *length > kLargeBuffer;
  } else if (rest.size() > kMostLine + 1) {  // + CR
    break_off(kLongLine);
  }
}

/// Keeps the builder's reason: hiredis reports a refused item as a lack of memory.
void RedisReader::break_off(std::string problem) {
  if (problem_.empty()) problem_ = std::move(problem);
}

}  // namespace weir::store
