#include "exchange/replay_body.h"

namespace weir {

ReplayBuffer::ReplayBuffer(Arena& arena, BodyPtr source, size_t limit)
    : arena_(arena), source_(std::move(source)), limit_(limit), kept_(arena) {
  const auto size = source_->size();
  if (size.kind == http::BodySize::Kind::known && size.bytes > limit) limit_ = 0;
}

Task<Result<Chunk>> ReplayBuffer::next(size_t& position) {
  if (position < kept_.size()) co_return Chunk{Slice::literal(kept_[position++])};
  if (has_ended_) co_return Chunk::end(trailers_);
  if (error_) co_return std::unexpected(*error_);
  auto chunk = co_await source_->read();
  if (!chunk) {
    error_ = chunk.error();
  } else if (chunk->is_end) {
    has_ended_ = true;
    trailers_ = chunk->trailers;
  } else {
    keep(chunk->data);
    position = kept_.size();
  }
  co_return chunk;
}

void ReplayBuffer::keep(const Slice& data) {
  bytes_ += data.size();
  is_lost_ = is_lost_ || bytes_ > limit_;
  if (!is_lost_) kept_.add(arena_.copy(data.view()));
}

std::string_view ReplayBuffer::text(Arena& arena) const {
  std::string_view text;
  for (const auto piece : kept_) text = arena.append(text, piece);
  return text;
}

Task<Result<Chunk>> KeptBody::read() {
  if (is_read_ || text_.empty()) co_return Chunk::end(trailers_);
  is_read_ = true;
  co_return Chunk{Slice::literal(text_)};
}

}  // namespace weir
