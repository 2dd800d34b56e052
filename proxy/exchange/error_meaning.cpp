#include <iterator>

#include "exchange/error_response.h"

namespace weir {

namespace {

// Problem types of draft-ietf-httpapi-ratelimit-headers.
constexpr std::string_view kQuotaExceeded = "https://iana.org/assignments/http-problem-types#quota-exceeded";
constexpr std::string_view kReducedCapacity =
    "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity";

struct Row {
  ErrorCode code;
  ErrorMeaning meaning;
};

// In the order of ErrorCode. Status and error type by RFC 9209 section 2.3 where it has one.
constexpr Row kRows[] = {
    {ErrorCode::bad_request, {400, Flag::DPE, "", "Bad request"}},
    {ErrorCode::uri_too_long, {414, Flag::DPE, "", "Request target too long"}},
    {ErrorCode::head_too_large, {431, Flag::DPE, "", "Request head too large"}},
    {ErrorCode::body_too_large, {413, Flag::DPE, "", "Request body too large"}},
    {ErrorCode::request_timeout, {408, Flag::DT, "", "Request too slow"}},
    {ErrorCode::too_many_connections, {429, Flag::UO, "", "Too many connections"}},
    {ErrorCode::length_required, {411, Flag::DPE, "", "Length required"}},
    {ErrorCode::method_not_allowed, {405, Flag::DPE, "", "Method not allowed"}},
    {ErrorCode::expectation_failed, {417, Flag::DPE, "", "Expectation failed"}},
    {ErrorCode::unsupported_method, {501, Flag::DPE, "", "Method not supported"}},
    {ErrorCode::unsupported_coding, {501, Flag::DPE, "", "Transfer coding not supported"}},
    {ErrorCode::unsupported_version, {505, Flag::DPE, "", "HTTP version not supported"}},
    {ErrorCode::loop_detected, {508, Flag::LOOP, "proxy_loop_detected", "Forwarding loop"}},
    {ErrorCode::forbidden, {403, Flag::DPE, "http_request_denied", "Forbidden"}},
    {ErrorCode::rate_limited, {429, Flag::RL, "", "Too many requests", kQuotaExceeded}},
    {ErrorCode::beyond_limit, {403, Flag::RL, "http_request_denied", "More than the limit ever gives"}},
    {ErrorCode::concurrency_limited, {429, Flag::RL, "", "Too many requests at once", kQuotaExceeded}},
    {ErrorCode::misdirected, {421, Flag::DPE, "", "Misdirected request"}},
    {ErrorCode::too_early, {425, Flag::DPE, "", "Too early"}},
    {ErrorCode::unauthorized, {401, Flag::DPE, "http_request_denied", "Unauthorized"}},
    {ErrorCode::unsupported_media_type, {415, Flag::DPE, "", "Unsupported media type"}},
    {ErrorCode::client_gone, {499, Flag::DC, "", "Client gone"}},
    {ErrorCode::no_route, {404, Flag::NR, "", "No such route"}},
    {ErrorCode::no_endpoint, {503, Flag::UH, "destination_unavailable", "No endpoint available"}},
    {ErrorCode::overflow, {503, Flag::UO, "connection_limit_reached", "Upstream at capacity"}},
    {ErrorCode::queue_timeout, {503, Flag::UO, "connection_limit_reached", "Waited too long for upstream capacity"}},
    {ErrorCode::connect_refused, {502, Flag::UF, "connection_refused", "Upstream refused the connection"}},
    {ErrorCode::connect_timeout, {504, Flag::UF, "connection_timeout", "Upstream connection timed out"}},
    {ErrorCode::dns_error, {502, Flag::UF, "dns_error", "Upstream name not resolved"}},
    {ErrorCode::tls_error, {502, Flag::UF, "tls_protocol_error", "Upstream TLS failed"}},
    {ErrorCode::tls_certificate_error, {502, Flag::UF, "tls_certificate_error", "Upstream certificate refused"}},
    {ErrorCode::response_timeout, {504, Flag::UT, "http_response_timeout", "Upstream response timed out"}},
    {ErrorCode::read_timeout, {504, Flag::UT, "connection_read_timeout", "Upstream stalled"}},
    {ErrorCode::total_timeout, {504, Flag::UT, "http_response_timeout", "Request took too long"}},
    {ErrorCode::connection_reset, {502, Flag::UC, "connection_terminated", "Upstream connection broke"}},
    {ErrorCode::incomplete_response, {502, Flag::UC, "http_response_incomplete", "Upstream response incomplete"}},
    {ErrorCode::protocol_error, {502, Flag::UP, "http_protocol_error", "Upstream broke the protocol"}},
    {ErrorCode::circuit_open, {503, Flag::CB, "destination_unavailable", "Circuit open"}},
    {ErrorCode::not_revalidated, {504, Flag::UF, "destination_unavailable", "Stored response not revalidated"}},
    {ErrorCode::not_cached, {504, Flag::NC, "", "Not in the cache"}},
    {ErrorCode::store_unavailable,
     {503, Flag::IE, "proxy_internal_error", "Shared store unavailable", kReducedCapacity}},
    {ErrorCode::body_not_stored, {507, Flag::IE, "proxy_internal_error", "Request body not stored"}},
    {ErrorCode::no_descriptors, {503, Flag::SH, "proxy_internal_error", "Out of file descriptors"}},
    {ErrorCode::no_ports, {503, Flag::SH, "proxy_internal_error", "Out of local ports"}},
    {ErrorCode::no_memory, {503, Flag::SH, "proxy_internal_error", "Out of memory for connections"}},
    {ErrorCode::connection_limit, {503, Flag::SH, "", "Too many connections"}},
    {ErrorCode::concurrency_limit, {503, Flag::SH, "", "Too many requests at once"}},
    {ErrorCode::admin_busy, {503, Flag::SH, "", "Too many pages of the admin API are wanted"}},
    {ErrorCode::shutting_down, {503, Flag::SH, "", "Shutting down"}},
    {ErrorCode::internal, {500, Flag::IE, "proxy_internal_error", "Internal error"}},
};

constexpr bool is_complete() {
  for (size_t i = 0; i < std::size(kRows); ++i) {
    if (static_cast<size_t>(kRows[i].code) != i) return false;
  }
  return std::size(kRows) == static_cast<size_t>(ErrorCode::internal) + 1;
}
static_assert(is_complete(), "each ErrorCode has its row, at its place");

}  // namespace

const ErrorMeaning& meaning_of(ErrorCode code) { return kRows[static_cast<size_t>(code)].meaning; }

}  // namespace weir
