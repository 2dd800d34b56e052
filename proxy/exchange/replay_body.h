#pragma once

#include "exchange/body.h"
#include "exchange/facts.h"

namespace weir {

/// A request body that can be read again from its start while no more than `limit` bytes of it have gone by.
class ReplayBody : public Body {
 public:
  ReplayBody(Arena& arena, BodyPtr source, size_t limit)
      : Body(arena), source_(std::move(source)), limit_(limit), kept_(arena) {}

  Task<Result<Chunk>> read() override;
  http::BodySize size() const override { return source_->size(); }
  bool rewind() override {
    next_ = 0;
    return !overflowed_;
  }

 private:
  BodyPtr source_;
  size_t limit_;
  size_t bytes_ = 0;
  size_t next_ = 0;  // of `kept_`, to be given out again
  bool overflowed_ = false;
  bool ended_ = false;
  http::Headers* trailers_ = nullptr;
  ArenaList<std::string_view> kept_;
};

}  // namespace weir
