#include "plugins/cache/stored_body.h"

namespace weir::plugins {

Task<Result<Chunk>> StoredBody::read() {
  Content& content = *object_->content;
  while (left_ > 0) {
    const auto seen = content.changed.count();
    auto piece = reader_.next(left_);
    if (!piece.bytes.empty()) {
      left_ -= piece.bytes.size();
      co_return Chunk{worker_.lender.lend(std::move(piece.owner), piece.bytes)};
    }
    if (piece.state == Content::State::broken) co_return std::unexpected(reader_.error());
    if (piece.state == Content::State::whole) break;
    co_await content.changed.news(worker_.loop, seen);
  }
  co_return Chunk::end();
}

}  // namespace weir::plugins
