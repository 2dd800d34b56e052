#include "exchange/body.h"

#include "base/arena_text.h"

namespace weir {

Task<Result<std::string_view>> Body::whole(size_t limit) {
  ArenaText text(*arena_);
  for (;;) {
    auto chunk = co_await read();
    if (!chunk) co_return std::unexpected(chunk.error());
    if (chunk->is_end) co_return text.text();
    if (text.size() + chunk->data.size() > limit) {
      co_return fail(ErrorCode::body_too_large, Side::client, "the body is larger than what this filter may hold");
    }
    text << chunk->data.view();
  }
}

Task<Result<Chunk>> TextBody::read() {
  if (is_read_ || text_.empty()) co_return Chunk::end();
  is_read_ = true;
  co_return Chunk{Slice::literal(text_)};
}

Task<Result<Chunk>> NoBody::read() { co_return Chunk::end(); }

}  // namespace weir
