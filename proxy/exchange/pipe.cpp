#include "exchange/pipe.h"

#include "exchange/backlog.h"

namespace weir {

Pipe::~Pipe() {
  if (backlog_) backlog_->remove(queue_.bytes());
}

void Pipe::limit_by(Backlog* backlog) {
  if (backlog_) backlog_->remove(queue_.bytes());
  backlog_ = backlog;
  if (backlog_) backlog_->add(queue_.bytes());
}

size_t Pipe::room() const {
  if (is_held() || queue_.bytes() >= kEnough) return 0;
  return backlog_ ? std::min(backlog_->room(queue_.bytes()), kEnough) : kEnough;
}

void Pipe::push(Slice data) {
  if (is_settled()) return;
  // A reader that keeps up gets the bytes uncopied. What may wait long does not pin the buffer that it came in.
  const bool waits = !queue_.is_empty() || (backlog_ && backlog_->shared_room() < kEnough);
  if (backlog_) backlog_->add(data.size());
  if (data.size() < kSmall && waits) {
    queue_.append(data.view());
  } else {
    queue_.append(std::move(data));
  }
  changed_.notify();
}

void Pipe::finish(http::Headers* trailers) {
  is_finished_ = true;
  trailers_ = trailers;
  changed_.notify();
}

void Pipe::fail(Error error) {
  if (is_settled()) return;
  error_ = error;
  changed_.notify();
}

Result<Chunk> Pipe::take() {
  if (!queue_.is_empty()) {
    Chunk chunk{queue_.take_front()};
    if (backlog_) backlog_->remove(chunk.data.size());
    return chunk;
  }
  if (is_held()) return Chunk{.spliced = splice_.get()};
  if (error_) return std::unexpected(*error_);
  return Chunk::end(trailers_);
}

}  // namespace weir
