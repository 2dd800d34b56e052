#pragma once

#include "exchange/exchange.h"

namespace weir {

/// The code of a gRPC status (https://grpc.io/docs/guides/status-codes) for a failure of the exchange. What fails when
/// the exchange's time is over is DEADLINE_EXCEEDED, whoever was waited for.
uint16_t grpc_status_of(const Exchange& exchange, const Error& error);

/// Renders `exchange.failure` for a gRPC client, also on the web: 200, status and message in the head, no body; no
/// cache stores it. What is in the response's head stays.
void render_grpc_error(Exchange& exchange);

/// The trailers that tell of a failure after the head was sent. They live in the exchange's arena.
http::Headers& grpc_trailers(Exchange& exchange, const Error& error);

}  // namespace weir
