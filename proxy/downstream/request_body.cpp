#include "downstream/request_body.h"

#include "downstream/connection.h"

namespace weir::downstream {

Task<Result<Chunk>> RequestBody::read() {
  Pipe& pipe = stream_.body;
  while (!pipe.has_chunk()) {
    stream_.connection.body_wanted(stream_);
    co_await pipe.changed();
  }
  auto chunk = pipe.take();
  is_touched_ = is_touched_ || (chunk && !chunk->is_end);
  stream_.connection.body_taken();
  co_return chunk;
}

}  // namespace weir::downstream
