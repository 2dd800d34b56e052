#include "base/error.h"

namespace weir {

std::string_view name_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::bad_request: return "bad_request";
    case ErrorCode::uri_too_long: return "uri_too_long";
    case ErrorCode::head_too_large: return "head_too_large";
    case ErrorCode::body_too_large: return "body_too_large";
    case ErrorCode::request_timeout: return "request_timeout";
    case ErrorCode::too_many_connections: return "too_many_connections";
    case ErrorCode::length_required: return "length_required";
    case ErrorCode::method_not_allowed: return "method_not_allowed";
    case ErrorCode::expectation_failed: return "expectation_failed";
    case ErrorCode::unsupported_method: return "unsupported_method";
    case ErrorCode::unsupported_coding: return "unsupported_coding";
    case ErrorCode::unsupported_version: return "unsupported_version";
    case ErrorCode::loop_detected: return "loop_detected";
    case ErrorCode::forbidden: return "forbidden";
    case ErrorCode::rate_limited: return "rate_limited";
    case ErrorCode::beyond_limit: return "beyond_limit";
    case ErrorCode::concurrency_limited: return "concurrency_limited";
    case ErrorCode::misdirected: return "misdirected";
    case ErrorCode::too_early: return "too_early";
    case ErrorCode::unauthorized: return "unauthorized";
    case ErrorCode::unsupported_media_type: return "unsupported_media_type";
    case ErrorCode::client_gone: return "client_gone";
    case ErrorCode::no_route: return "no_route";
    case ErrorCode::no_endpoint: return "no_endpoint";
    case ErrorCode::overflow: return "overflow";
    case ErrorCode::queue_timeout: return "queue_timeout";
    case ErrorCode::connect_refused: return "connect_refused";
    case ErrorCode::connect_timeout: return "connect_timeout";
    case ErrorCode::dns_error: return "dns_error";
    case ErrorCode::tls_error: return "tls_error";
    case ErrorCode::tls_certificate_error: return "tls_certificate_error";
    case ErrorCode::response_timeout: return "response_timeout";
    case ErrorCode::read_timeout: return "read_timeout";
    case ErrorCode::total_timeout: return "total_timeout";
    case ErrorCode::connection_reset: return "connection_reset";
    case ErrorCode::incomplete_response: return "incomplete_response";
    case ErrorCode::protocol_error: return "protocol_error";
    case ErrorCode::circuit_open: return "circuit_open";
    case ErrorCode::not_revalidated: return "not_revalidated";
    case ErrorCode::not_cached: return "not_cached";
    case ErrorCode::store_unavailable: return "store_unavailable";
    case ErrorCode::body_not_stored: return "body_not_stored";
    case ErrorCode::no_descriptors: return "no_descriptors";
    case ErrorCode::no_ports: return "no_ports";
    case ErrorCode::no_memory: return "no_memory";
    case ErrorCode::connection_limit: return "connection_limit";
    case ErrorCode::concurrency_limit: return "concurrency_limit";
    case ErrorCode::admin_busy: return "admin_busy";
    case ErrorCode::shutting_down: return "shutting_down";
    case ErrorCode::internal: return "internal";
  }
  return "internal";
}

}  // namespace weir
