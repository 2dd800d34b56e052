#include "exchange/grpc_answer.h"

#include "exchange/error_response.h"
#include "exchange/grpc.h"
#include "exchange/grpc_error.h"

namespace weir {

GrpcAnswer::GrpcAnswer(Exchange& exchange, BodyPtr body)
    : Body(exchange.arena()), exchange_(exchange), body_(std::move(body)) {
  note(exchange.response.head.headers);  // where an answer without messages has it
}

Task<Result<Chunk>> GrpcAnswer::read() {
  auto chunk = co_await body_->read();
  const bool is_for_call = exchange_.call != GrpcForm::none;
  if (is_for_call && !chunk && chunk.error().side != Side::client && size() == http::BodySize::unknown()) {
    exchange_.failure = chunk.error();
    exchange_.record.raise(meaning_of(chunk.error().code).flag);
    has_broken_off_ = true;
    chunk = Chunk::end(&grpc_trailers(exchange_, chunk.error()));
  }
  if (chunk && chunk->trailers) note(*chunk->trailers);
  co_return chunk;
}

void GrpcAnswer::note(const http::Headers& headers) {
  const auto status = parse_decimal(headers.get("grpc-status").value_or(""));
  if (status && *status < 1000) exchange_.record.grpc_status = static_cast<uint16_t>(*status);
}

void watch_grpc_answer(Exchange& exchange) {
  auto& response = exchange.response;
  if (is_grpc(response.head.headers)) {
    response.body = make_in<GrpcAnswer>(exchange.arena(), exchange, std::move(response.body));
  }
}

}  // namespace weir
