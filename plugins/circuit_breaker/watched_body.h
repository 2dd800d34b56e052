#pragma once

#include <utility>

#include "exchange/exchange.h"
#include "exchange/gate.h"

namespace weir::plugins {

/// A response's body, with the permit that its head was reported to: a body that breaks off is reported, too.
class WatchedBody final : public Body {
 public:
  /// `started`: when the permit was given; `attempts`: how many there were then.
  WatchedBody(Exchange& exchange, Gate::Permit permit, Time started, size_t attempts, BodyPtr body)
      : Body(exchange.arena()),
        exchange_(exchange),
        permit_(std::move(permit)),
        attempts_(attempts),
        status_(exchange.response.head.status),
        started_(started),
        body_(std::move(body)) {}

  Task<Result<Chunk>> read() override;
  http::BodySize size() const override { return body_->size(); }
  bool is_exact() const override { return body_->is_exact(); }
  void allow_splice() override { body_->allow_splice(); }
  void limit_by(Backlog* backlog) override { body_->limit_by(backlog); }

 private:
  bool is_upstreams(const Error& error) const;

  Exchange& exchange_;
  Gate::Permit permit_;
  const size_t attempts_;
  const uint16_t status_;
  const Time started_;
  BodyPtr body_;
};

}  // namespace weir::plugins
