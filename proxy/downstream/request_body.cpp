#include "downstream/request_body.h"

#include "downstream/stream.h"

namespace weir::downstream {

Task<Result<Chunk>> RequestBody::read() {
  Pipe& pipe = stream_.body;
  while (!pipe.has_chunk()) {
    stream_.body_wanted();
    co_await pipe.changed();
  }
  auto chunk = pipe.take();
  is_touched_ = is_touched_ || (chunk && !chunk->is_end);
  stream_.body_taken(chunk ? chunk->data.size() : 0);
  co_return chunk;
}

}  // namespace weir::downstream
