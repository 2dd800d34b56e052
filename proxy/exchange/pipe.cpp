#include "exchange/pipe.h"

namespace weir {

void Pipe::push(Slice data) {
  if (is_settled()) return;
  if (data.size() < kSmall && !queue_.is_empty()) {
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
  if (!queue_.is_empty()) return Chunk{queue_.take_front()};
  if (is_held()) return Chunk{.spliced = splice_.get()};
  if (error_) return std::unexpected(*error_);
  return Chunk::end(trailers_);
}

}  // namespace weir
