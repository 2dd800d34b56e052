#pragma once

#include <optional>
#include <string_view>

#include "http/date.h"
#include "http/message.h"

namespace weir::plugins {

/// What tells one state of a resource from another; "" and nothing when a response had none. Views.
struct Validators {
  std::string_view etag;
  std::string_view last_modified;  // as it was sent
  std::string_view date;           // of the response, as it was sent; ""
};
Validators validators_of(const http::Headers& response);

/// RFC 9110 section 8.8.3.2.
bool matches_weakly(std::string_view a, std::string_view b);
bool matches_strongly(std::string_view a, std::string_view b);

/// RFC 9110 section 13.2.2, steps 3 and 4, for a stored response to GET or HEAD (RFC 9111 section 4.3.2): the client
/// has it already, so it is answered 304. Without Last-Modified the Date stands in.
bool is_not_modified(const http::Headers& request, const Validators& stored);

/// RFC 9110 section 13.1.5: without If-Range, or when it names this state strongly (a date only when it is
/// Last-Modified, and at least a second older than Date).
bool may_send_range(const http::Headers& request, const Validators& stored);

/// If-Match and If-Unmodified-Since are for the origin alone (RFC 9111 section 4.3.2).
bool is_for_origin_alone(const http::Headers& request);

/// Makes the request ask whether the stored response is still the one: If-None-Match and If-Modified-Since in place
/// of the client's own conditions, Range and If-Range (RFC 9111 section 4.3.1). Without validators it asks for the
/// whole: a Date may be this cache's own, whose clock the origin doesn't go by. Values must live as long as the
/// request.
void make_conditional(http::Headers& request, const Validators& stored);
/// Takes all conditions and ranges out, so that the whole response comes.
void make_unconditional(http::Headers& request);

}  // namespace weir::plugins
