#include "exchange/gate.h"

#include <algorithm>
#include <charconv>

#include "exchange/exchange.h"
#include "exchange/grpc_call.h"
#include "net/client_block.h"

namespace weir {

Needs needs_of(const Exchange& exchange) {
  const bool has_body = exchange.request_body && !exchange.request_body->size().is_empty();
  const bool is_waited_for = has_body || !exchange.request.protocol.empty() || heeds_grpc_timeout(exchange);
  return is_waited_for ? Needs::client : Needs::endpoint;
}

uint64_t Asker::client() const {
  if (!exchange_) return client_;
  return std::max<uint64_t>(1, net::block_of(exchange_->client.ip, 0));
}

void fail_for(Exchange& exchange, const Error& error, Duration wait) {
  exchange.fail(error);
  const auto seconds = std::max<int64_t>(1, std::chrono::ceil<std::chrono::seconds>(wait).count());
  char digits[20];
  const auto end = std::to_chars(digits, std::end(digits), seconds).ptr;
  exchange.response.head.headers.set("retry-after", exchange.arena().copy({digits, static_cast<size_t>(end - digits)}));
}

}  // namespace weir
