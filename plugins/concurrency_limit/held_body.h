#pragma once

#include <utility>

#include "exchange/body.h"

namespace weir::plugins {

/// A body that holds something until it is over or dropped, and is otherwise the body that it holds.
template <class Held>
class HeldBody final : public Body {
 public:
  HeldBody(Arena& arena, Held held, BodyPtr body) : Body(arena), held_(std::move(held)), body_(std::move(body)) {}

  Task<Result<Chunk>> read() override { return body_->read(); }
  http::BodySize size() const override { return body_->size(); }
  bool is_exact() const override { return body_->is_exact(); }
  void allow_splice() override { body_->allow_splice(); }
  void limit_by(Backlog* backlog) override { body_->limit_by(backlog); }
  bool rewind() override { return body_->rewind(); }

 private:
  Held held_;  // outlives the body
  BodyPtr body_;
};

}  // namespace weir::plugins
