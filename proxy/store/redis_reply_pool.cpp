#include "store/redis_reply_pool.h"

#include <hiredis/hiredis.h>

#include <algorithm>
#include <cstring>
#include <new>

namespace weir::store {

namespace {

constexpr int kMostElements = 1 << 20;  // of a list; a server that announces more makes no sense

}  // namespace

/// What hiredis calls for each item: an outer one before what is in it, which comes with its place there. Null: there
/// is no memory, and the connection ends.
struct RedisReplyPool::Builder {
  static redisReply* build(const redisReadTask& task, size_t elements, std::string_view text) noexcept try {
    auto& arena = static_cast<RedisReplyPool*>(task.privdata)->arena_;
    if (!task.parent || !arena) arena.emplace(static_cast<RedisReplyPool*>(task.privdata)->blocks_);
    auto& reply = arena->make<redisReply>(redisReply{.type = task.type, .elements = elements});
    if (elements > 0) {
      reply.element = static_cast<redisReply**>(arena->bump(elements * sizeof(void*), alignof(void*)));
      std::fill_n(reply.element, elements, nullptr);
    }
    if (text.data()) {
      reply.len = text.size();
      reply.str = static_cast<char*>(arena->bump(text.size() + 1, 1));
      if (!text.empty()) std::memcpy(reply.str, text.data(), text.size());
      reply.str[text.size()] = '\0';
    }
    if (task.parent) static_cast<redisReply*>(task.parent->obj)->element[task.idx] = &reply;
    return &reply;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
  static void* string(const redisReadTask* task, char* text, size_t size) noexcept {
    return build(*task, 0, {text, size});
  }
  static void* array(const redisReadTask* task, int elements) noexcept {
    return elements > kMostElements ? nullptr : build(*task, static_cast<size_t>(elements), {});
  }
  static void* integer(const redisReadTask* task, long long value) noexcept {
    redisReply* const reply = build(*task, 0, {});
    if (reply) reply->integer = value;
    return reply;
  }
  static void* nil(const redisReadTask* task) noexcept {
    redisReply* const reply = build(*task, 0, {});
    if (reply) reply->type = REDIS_REPLY_NIL;
    return reply;
  }
  static void nothing(void*) noexcept {}
};

void RedisReplyPool::serve(redisReader& reader) {
  static redisReplyObjectFunctions functions{Builder::string, Builder::array, Builder::integer, Builder::nil,
                                             Builder::nothing};
  reader.fn = &functions;
  reader.privdata = this;
}

}  // namespace weir::store
