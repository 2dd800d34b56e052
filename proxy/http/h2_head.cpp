#include "http/h2_head.h"

#include <algorithm>

#include "http/framing.h"
#include "http/target.h"

namespace weir::http {

namespace {

constexpr size_t kFieldOverhead = 4;  // ": " and CRLF: a limit is the same on both versions

std::unexpected<Error> refuse(std::string_view detail) { return fail(ErrorCode::bad_request, Side::client, detail); }
std::unexpected<Error> blame_upstream(std::string_view detail) {
  return fail(ErrorCode::protocol_error, Side::upstream, detail);
}

Result<std::string_view> scheme_of(std::string_view scheme) {
  if (equals_ignoring_case(scheme, "http")) return "http";
  if (equals_ignoring_case(scheme, "https")) return "https";
  return refuse(":scheme is neither http nor https");
}

/// RFC 9113 section 8.3.1: no userinfo, and no other host than Host names; one of the two is there.
Result<> check_authority(RequestHead& head) {
  const auto host = head.headers.get(Field::host);
  if (head.authority.empty()) head.authority = host.value_or("");
  if (head.authority.contains('@')) return refuse("userinfo in :authority");
  if (!is_valid_authority(head.authority)) return refuse(":authority is not host[:port]");
  if (host && !equals_ignoring_case(*host, head.authority)) return refuse(":authority and Host differ");
  return {};
}

/// A client may send its cookies in several lines, for the sake of compression; everyone else expects one (RFC 9113
/// section 8.2.3).
void join_cookies(Headers& headers) {
  if (headers.count(Field::cookie) < 2) return;
  size_t bytes = 0;
  for (const Header& header : headers) bytes += header.field == Field::cookie ? header.value.size() + 2 : 0;
  auto* const text = static_cast<char*>(headers.arena().bump(bytes, 1));
  char* to = text;
  for (const Header& header : headers) {
    if (header.field != Field::cookie) continue;
    if (to != text) to = std::ranges::copy(std::string_view("; "), to).out;
    to = std::ranges::copy(header.value, to).out;
  }
  headers.set("cookie", {text, static_cast<size_t>(to - text)}, Field::cookie);
}

bool is_three_digits(std::string_view text) { return text.size() == 3 && parse_decimal(text).has_value(); }

}  // namespace

void H2Head::begin(Headers& headers, const HeadLimits& limits, Side side) {
  pseudo_ = {};
  headers_ = &headers;
  limits_ = &limits;
  gate_.emplace(limits, side);
  error_.reset();
  bytes_ = 0;
  side_ = side;
}

std::string_view H2Head::keep(Text text) { return text.lasts ? text.text : headers_->arena().copy(text.text); }

void H2Head::add(Text name, Text value) {
  bytes_ += name.text.size() + value.text.size() + kFieldOverhead;
  if (error_) return;
  if (bytes_ > limits_->head_bytes) {
    const auto code = side_ == Side::client ? ErrorCode::head_too_large : ErrorCode::protocol_error;
    error_ = Error{code, side_, "the head is larger than allowed"};
    return;
  }
  if (name.text.starts_with(':')) return add_pseudo(name.text, keep(value));
  const auto field = field_of(name.text);
  const bool is_more_cookie = field == Field::cookie && headers_->has(Field::cookie);
  const auto admitted = is_more_cookie ? true : gate_->admit(name.text);
  if (!admitted) {
    error_ = admitted.error();
  } else if (*admitted) {
    headers_->add(keep(name), keep(value), field);
  }
}

void H2Head::add_pseudo(std::string_view name, std::string_view value) {
  if (name == ":method") pseudo_.method = value;
  if (name == ":scheme") pseudo_.scheme = value;
  if (name == ":authority") pseudo_.authority = value;
  if (name == ":path") pseudo_.path = value;
  if (name == ":protocol") pseudo_.protocol = value;
  if (name == ":status") pseudo_.status = value;
}

Result<BodySize> H2Head::finish(RequestHead& head, Ends ends) {
  head.method_name = pseudo_.method;
  head.method = method_of(pseudo_.method);
  head.target = pseudo_.path;
  if (error_) return std::unexpected(*error_);
  if (pseudo_.path.size() > limits_->request_line) {
    return fail(ErrorCode::uri_too_long, Side::client, ":path is longer than allowed");
  }
  if (!pseudo_.protocol.empty()) {  // RFC 8441 section 4: anything but CONNECT is nghttp2's to refuse
    head.protocol = pseudo_.protocol;
    head.method = Method::get;
    head.method_name = name_of(Method::get);
  }
  head.authority = pseudo_.authority;
  if (head.method == Method::connect) {
    if (auto split = split_target(pseudo_.authority, head); !split) return std::unexpected(split.error());
  } else {
    const auto scheme = scheme_of(pseudo_.scheme);
    if (!scheme) return std::unexpected(scheme.error());
    head.scheme = *scheme;
    if (pseudo_.path != "*" && !pseudo_.path.starts_with('/')) return refuse(":path is not a path");
    if (auto split = split_target(pseudo_.path, head); !split) return std::unexpected(split.error());
  }
  if (auto checked = check_authority(head); !checked) return std::unexpected(checked.error());
  join_cookies(head.headers);
  const auto framing = frame_request(head);
  if (!framing) return std::unexpected(framing.error());
  if (!head.protocol.empty()) return BodySize::tunnel();
  const bool is_unsized = framing->body.kind == BodySize::Kind::none && ends == Ends::no;
  return is_unsized ? BodySize::unknown() : framing->body;
}

Result<BodySize> H2Head::finish(ResponseHead& head, Method method, Ends ends) {
  if (error_) return blame_upstream(error_->detail);
  if (!is_three_digits(pseudo_.status)) return blame_upstream(":status is not a number of three digits");
  head.status = static_cast<uint16_t>(*parse_decimal(pseudo_.status));
  head.version = Version::http2;
  if (head.status < 100 || head.status == 101) return blame_upstream("a status that HTTP/2 doesn't have");
  const auto framing = frame_response(head, method);
  if (!framing) return std::unexpected(framing.error());
  if (framing->body.kind == BodySize::Kind::tunnel) head.status = 101;
  const bool is_over = framing->body.kind == BodySize::Kind::unknown && ends == Ends::yes;
  return is_over ? BodySize::none() : framing->body;
}

Result<> H2Head::finish_trailers() {
  if (error_) return std::unexpected(*error_);
  headers_->remove_if([](const Header& trailer) { return !may_be_trailer(trailer); });
  return {};
}

}  // namespace weir::http
