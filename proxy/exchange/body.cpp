#include "exchange/body.h"

namespace weir {

Task<Result<std::string_view>> Body::whole(size_t limit) {
  std::string_view text;
  for (;;) {
    auto chunk = co_await read();
    if (!chunk) co_return std::unexpected(chunk.error());
    if (chunk->is_end) co_return text;
    if (text.size() + chunk->data.size() > limit) {
      co_return fail(ErrorCode::body_too_large, Side::client, "the body is larger than what this filter may hold");
    }
    text = arena_->append(text, chunk->data.view());
  }
}

Task<Result<Chunk>> TextBody::read() {
  if (is_read_ || text_.empty()) co_return Chunk::end();
  is_read_ = true;
  co_return Chunk{Slice::literal(text_)};
}

Task<Result<Chunk>> NoBody::read() { co_return Chunk::end(); }

}  // namespace weir
