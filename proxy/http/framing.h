#pragma once

#include "base/result.h"
#include "http/message.h"

namespace weir::http {

/// How a message's body is marked off on an HTTP/1 connection, and what its sender wants of the connection.
struct Framing {
  BodySize body;
  bool chunked = false;    // body is unknown: chunked, or until the connection closes
  bool keep_alive = true;  // by version and Connection field (RFC 9112 section 9.3)
};

/// Each option of Connection costs a look at all fields: a head with more is refused, whatever they are.
inline constexpr unsigned kMostConnectionOptions = 64;

/// Decides it for a request, and checks Host (RFC 9112 sections 3.2 and 6). Sets `authority` from Host, or Host from
/// an absolute-form target, which wins. Refuses all that two servers could read differently: bad_request,
/// unsupported_coding.
Result<Framing> frame_request(RequestHead& head);

/// The same for the response to a request of `method`. A fault is protocol_error.
Result<Framing> frame_response(const ResponseHead& head, Method method);

/// HEAD, 1xx, 204, 304: whatever the head says, no body follows (RFC 9112 section 6.3).
constexpr bool is_bodyless(Method method, uint16_t status) {
  return method == Method::head || status < 200 || status == 204 || status == 304;
}

/// Whether a trailer section may carry this field: none for framing, routing, authentication or the meaning
/// of the content (RFC 9110 section 6.5.1).
bool may_be_trailer(const Header& header);

}  // namespace weir::http
