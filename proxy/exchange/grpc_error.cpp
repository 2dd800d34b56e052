#include "exchange/grpc_error.h"

#include <charconv>

#include "base/arena_text.h"
#include "exchange/error_response.h"
#include "exchange/grpc.h"

namespace weir {

namespace {

enum Status : uint16_t {
  unknown = 2,
  deadline_exceeded = 4,
  permission_denied = 7,
  resource_exhausted = 8,
  unimplemented = 12,
  internal = 13,
  unavailable = 14,
  unauthenticated = 16,
};

/// By gRPC's "HTTP to gRPC Status Code Mapping", and limits as servers tell of theirs.
Status status_of(uint16_t http_status) {
  switch (http_status) {
    case 400: return internal;
    case 401: return unauthenticated;
    case 403: return permission_denied;
    case 404: return unimplemented;
    case 413:
    case 431: return resource_exhausted;
    case 429:
    case 502:
    case 503:
    case 504: return unavailable;
    default: return unknown;
  }
}

/// Percent-encoded: what isn't printable ASCII, and '%' itself.
std::string_view message(Arena& arena, std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  ArenaText encoded(arena, text.size());
  for (const char c : text) {
    if (c >= ' ' && c <= '~' && c != '%') {
      encoded << std::string_view(&c, 1);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      const char escape[] = {'%', kHex[byte >> 4], kHex[byte & 15]};
      encoded << std::string_view(escape, sizeof escape);
    }
  }
  return encoded.text();
}

void tell(http::Headers& headers, const Exchange& exchange, const Failure& error) {
  Arena& arena = headers.arena();
  const auto detail = detail_of(error, arena);
  char digits[5];
  const auto end = std::to_chars(digits, std::end(digits), grpc_status_of(exchange, error)).ptr;
  headers.set("grpc-status", arena.copy({digits, static_cast<size_t>(end - digits)}));
  headers.set("grpc-message", message(arena, detail.empty() ? meaning_of(error.code).title : detail));
}

}  // namespace

uint16_t grpc_status_of(const Exchange& exchange, const Error& error) {
  const bool is_late = exchange.worker.loop.now() >= exchange.deadline;
  if (error.code == ErrorCode::total_timeout || is_late) return deadline_exceeded;
  if (error.code == ErrorCode::rate_limited || error.code == ErrorCode::concurrency_limited) return resource_exhausted;
  return status_of(meaning_of(error.code).status);
}

void render_grpc_error(Exchange& exchange) {
  auto& arena = exchange.arena();
  auto& head = exchange.response.head;
  head.status = 200;
  head.reason = {};
  head.headers.set("content-type", exchange.request.headers.get(http::Field::content_type).value_or("application/grpc"),
                   http::Field::content_type);
  head.headers.set("cache-control", "no-store");  // a 200 would be stored
  tell(head.headers, exchange, *exchange.failure);
  exchange.response.body = make_in<NoBody>(arena, arena);
}

http::Headers& grpc_trailers(Exchange& exchange, const Error& error) {
  auto& trailers = exchange.arena().make<http::Headers>(exchange.arena());
  tell(trailers, exchange, error);
  return trailers;
}

}  // namespace weir
