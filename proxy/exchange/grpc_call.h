#pragma once

#include "exchange/exchange.h"

namespace weir {

/// Whether the request is a gRPC call for Weir, whose `grpc-timeout` is heeded.
inline bool heeds_grpc_timeout(const Exchange& exchange) {
  return exchange.call != GrpcForm::none ||
         (exchange.route && exchange.route->is_grpc && is_grpc(exchange.request.headers));
}

/// Whether an attempt at an endpoint that speaks `version` is a gRPC call, which may be silent for longer than other
/// requests. The client alone does not decide: a call came over HTTP/2, or by gRPC-Web behind its filter, and goes on
/// over HTTP/2. On a route with `grpc: true` the content type is enough.
inline bool is_call(const Exchange& exchange, http::Version version) {
  if (exchange.call != GrpcForm::none && version == http::Version::http2) return true;
  return exchange.route && exchange.route->is_grpc && is_grpc(exchange.request.headers);
}

}  // namespace weir
