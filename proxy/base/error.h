#pragma once

#include <cstdint>
#include <string_view>

namespace weir {

/// Who is to blame for an Error: the peer on either side, or Weir itself.
enum class Side : uint8_t { self, client, upstream };

/// Why a request (or a connection) failed. `exchange/error_response` alone turns one into a status code,
/// a Proxy-Status error type (RFC 9209) and a response flag.
enum class ErrorCode : uint8_t {
  // The client's doing.
  bad_request,
  uri_too_long,
  head_too_large,
  body_too_large,
  request_timeout,
  too_many_connections,
  length_required,
  method_not_allowed,
  expectation_failed,
  unsupported_method,
  unsupported_coding,
  unsupported_version,
  loop_detected,
  forbidden,
  rate_limited,
  beyond_limit,
  concurrency_limited,
  misdirected,
  too_early,
  unauthorized,
  unsupported_media_type,
  client_gone,
  // Routing.
  no_route,
  // The upstream's doing.
  no_endpoint,
  overflow,
  queue_timeout,
  connect_refused,
  connect_timeout,
  dns_error,
  tls_error,
  tls_certificate_error,
  response_timeout,
  read_timeout,
  total_timeout,
  connection_reset,
  incomplete_response,
  protocol_error,
  circuit_open,
  not_revalidated,
  // Weir's own.
  not_cached,
  store_unavailable,
  body_not_stored,
  no_descriptors,
  no_ports,
  no_memory,
  connection_limit,
  concurrency_limit,
  admin_busy,
  shutting_down,
  internal,
};

/// May the same request be sent again? `yes` only when the peer can't have acted on it (RFC 9110 section 9.2.2);
/// `over_http1`: an endpoint asks for the same request over HTTP/1.1 (RFC 9113 section 7, HTTP_1_1_REQUIRED).
enum class RetrySafe : uint8_t { no, yes, over_http1 };

/// A failure as a value. `detail` is text for engineers and lives for ever (a literal) or as long as the
/// exchange (in its arena).
struct Error {
  ErrorCode code = ErrorCode::internal;
  Side side = Side::self;
  std::string_view detail;
  RetrySafe retry = RetrySafe::no;
  std::string_view by{};  // which limit, circuit or queue refused, as long as `detail`: "circuit api"; "" = none did
};

/// The code as a word for logs and metrics: "connect_refused".
std::string_view name_of(ErrorCode code);

}  // namespace weir
