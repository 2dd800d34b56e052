#pragma once

#include "exchange/exchange.h"
#include "plugins/cache/storage/object.h"

namespace weir::plugins {

/// The body of a stored response, or a part of it, as far as it has come. Goes out by reference: no byte is copied. The
/// response's fields live in it.
class StoredBody final : public Body {
 public:
  /// `count` bytes from `first` on; all that come, without it. `size`: what the client is told.
  StoredBody(Exchange& exchange, ObjectPtr object, http::BodySize size, uint64_t first, uint64_t count)
      : Body(exchange.arena()),
        worker_(exchange.worker),
        object_(std::move(object)),
        reader_(*object_->content, first),
        size_(size),
        left_(count) {}

  /// Its first bytes are gone already: it can't be read.
  bool has_missed() const { return reader_.has_missed(); }
  Task<Result<Chunk>> read() override;
  http::BodySize size() const override { return size_; }
  bool is_exact() const override { return object_->content->is_exact(); }

 private:
  WorkerContext& worker_;
  ObjectPtr object_;
  Content::Reader reader_;
  const http::BodySize size_;
  uint64_t left_;
};

}  // namespace weir::plugins
