#include "exchange/replay_body.h"

namespace weir {

Task<Result<Chunk>> ReplayBody::read() {
  if (next_ < kept_.size()) co_return Chunk{Slice::literal(kept_[next_++])};
  if (ended_) co_return Chunk::end(trailers_);
  auto chunk = co_await source_->read();
  if (!chunk) co_return chunk;
  if (chunk->is_end) {
    ended_ = true;
    trailers_ = chunk->trailers;
    co_return chunk;
  }
  bytes_ += chunk->data.size();
  overflowed_ = overflowed_ || bytes_ > limit_;
  if (!overflowed_) {
    kept_.add(arena_->copy(chunk->data.view()));
    next_ = kept_.size();
  }
  co_return chunk;
}

}  // namespace weir
