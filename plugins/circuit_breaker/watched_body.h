#pragma once

#include <utility>

#include "exchange/exchange.h"
#include "exchange/gate.h"

namespace weir::plugins {

/// A response's body, with the permit that its head was reported to: a body that breaks off is reported, too.
class WatchedBody final : public Body {
 public:
  /// `started`: when the permit was given.
  WatchedBody(Exchange& exchange, Gate::Permit permit, Time started, BodyPtr body)
      : Body(exchange.arena()),
        loop_(exchange.loop()),
        permit_(std::move(permit)),
        status_(exchange.response.head.status),
        started_(started),
        body_(std::move(body)) {}

  Task<Result<Chunk>> read() override;
  http::BodySize size() const override { return body_->size(); }
  bool is_exact() const override { return body_->is_exact(); }
  void allow_splice() override { body_->allow_splice(); }
  void limit_by(Backlog* backlog) override { body_->limit_by(backlog); }

 private:
  Loop& loop_;
  Gate::Permit permit_;
  const uint16_t status_;
  const Time started_;
  BodyPtr body_;
};

}  // namespace weir::plugins
