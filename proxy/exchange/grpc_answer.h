#pragma once

#include "exchange/exchange.h"

namespace weir {

/// The body of a gRPC answer: notes the call's status for the log, and ends what breaks off with trailers that say why,
/// since that is how a gRPC client learns it. To any other client it breaks off.
class GrpcAnswer final : public Body {
 public:
  GrpcAnswer(Exchange& exchange, BodyPtr body);

  Task<Result<Chunk>> read() override;
  http::BodySize size() const override { return body_->size(); }
  bool is_exact() const override { return !has_broken_off_ && body_->is_exact(); }

 private:
  void note(const http::Headers& headers);

  Exchange& exchange_;
  BodyPtr body_;
  bool has_broken_off_ = false;  // the end and its trailers are Weir's own
};

/// Puts one around the response's body if it is a gRPC answer.
void watch_grpc_answer(Exchange& exchange);

}  // namespace weir
