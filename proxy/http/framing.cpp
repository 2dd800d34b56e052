#include "http/framing.h"

#include "http/target.h"

namespace weir::http {

namespace {

// What the head says about framing, gathered in one walk.
struct Fields {
  unsigned hosts = 0;
  unsigned lengths = 0;
  unsigned codings = 0;
  std::string_view host;
  std::string_view length;
  std::string_view coding;
  unsigned options = 0;  // of Connection
  bool close = false;
  bool keep_alive = false;
};

void read_connection(std::string_view value, Fields& fields) {
  for_each_member(value, [&](std::string_view option) {
    ++fields.options;
    if (equals_ignoring_case(option, "close")) fields.close = true;
    if (equals_ignoring_case(option, "keep-alive")) fields.keep_alive = true;
    return true;
  });
}

Fields gather(const Headers& headers) {
  Fields fields;
  for (const Header& header : headers) {
    switch (header.field) {
      case Field::host:
        ++fields.hosts;
        fields.host = header.value;
        break;
      case Field::content_length:
        ++fields.lengths;
        fields.length = header.value;
        break;
      case Field::transfer_encoding:
        ++fields.codings;
        fields.coding = header.value;
        break;
      case Field::connection: read_connection(header.value, fields); break;
      default: break;
    }
  }
  return fields;
}

std::unexpected<Error> refuse(std::string_view detail, ErrorCode code = ErrorCode::bad_request) {
  return fail(code, Side::client, detail);
}

// Only `chunked`, alone, is understood.
Result<> check_coding(std::string_view coding) {
  if (equals_ignoring_case(coding, "chunked")) return {};
  unsigned chunked = 0;
  unsigned others = 0;
  bool ends_chunked = false;
  for_each_member(coding, [&](std::string_view member) {
    ends_chunked = equals_ignoring_case(member, "chunked");
    ++(ends_chunked ? chunked : others);
    return true;
  });
  const bool is_well_formed = others > 0 && (chunked == 0 || (chunked == 1 && ends_chunked));
  if (is_well_formed) return refuse("a transfer coding other than chunked", ErrorCode::unsupported_coding);
  return refuse("Transfer-Encoding is not exactly 'chunked'");
}

Result<BodySize> body_of(const Fields& fields, Version version, BodySize otherwise) {
  if (fields.codings > 0) {
    if (fields.lengths > 0) return refuse("Content-Length and Transfer-Encoding together");
    if (version == Version::http10) return refuse("Transfer-Encoding on HTTP/1.0");
    if (fields.codings > 1) return refuse("several Transfer-Encoding fields");
    if (auto checked = check_coding(fields.coding); !checked) return std::unexpected(checked.error());
    return BodySize::unknown();
  }
  if (fields.lengths == 0) return otherwise;
  if (fields.lengths > 1) return refuse("several Content-Length fields");
  const auto length = parse_decimal(fields.length);
  if (!length) return refuse("Content-Length is not a number");
  return BodySize::known(*length);
}

Result<> check_options(const Fields& fields) {
  if (fields.options > kMostConnectionOptions) return refuse("more than 64 options in Connection");
  return {};
}

Result<> check_host(const Fields& fields, RequestHead& head) {
  if (fields.hosts > 1) return refuse("several Host fields");
  if (fields.hosts == 0 && head.version == Version::http11) return refuse("no Host field");
  if (fields.hosts == 1 && !is_valid_authority(fields.host)) return refuse("Host is not host[:port]");
  if (head.authority.empty()) {
    head.authority = fields.host;
  } else if (fields.host != head.authority) {
    head.headers.set("Host", head.authority);
  }
  return {};
}

bool keeps_alive(const Fields& fields, Version version) {
  return !fields.close && (version != Version::http10 || fields.keep_alive);
}

std::unexpected<Error> blame_upstream(const Error& error) {
  return fail(ErrorCode::protocol_error, Side::upstream, error.detail);
}

bool starts_with_ignoring_case(std::string_view text, std::string_view prefix) {
  return equals_ignoring_case(text.substr(0, prefix.size()), prefix);
}

}  // namespace

Result<Framing> frame_request(RequestHead& head) {
  const Fields fields = gather(head.headers);
  if (auto checked = check_host(fields, head); !checked) return std::unexpected(checked.error());
  if (auto checked = check_options(fields); !checked) return std::unexpected(checked.error());
  const auto body = body_of(fields, head.version, BodySize::none());
  if (!body) return std::unexpected(body.error());
  return Framing{*body, fields.codings > 0, keeps_alive(fields, head.version)};
}

Result<Framing> frame_response(const ResponseHead& head, Method method) {
  const Fields fields = gather(head.headers);
  if (auto checked = check_options(fields); !checked) return blame_upstream(checked.error());
  const bool keep_alive = keeps_alive(fields, head.version);
  if (head.status == 101 || (method == Method::connect && head.status / 100 == 2)) {
    return Framing{BodySize::tunnel(), false, false};
  }
  // Both together are never innocent, not even where neither counts.
  if (fields.codings > 0 && fields.lengths > 0) {
    return blame_upstream({.detail = "Content-Length and Transfer-Encoding together"});
  }
  if (is_bodyless(method, head.status)) return Framing{BodySize::none(), false, keep_alive};
  const auto body = body_of(fields, head.version, BodySize::unknown());
  if (!body) return blame_upstream(body.error());
  const bool is_delimited = body->kind == BodySize::Kind::known || fields.codings > 0;
  return Framing{*body, fields.codings > 0, keep_alive && is_delimited};
}

bool may_be_trailer(const Header& header) {
  switch (header.field) {
    case Field::other: break;
    case Field::etag:
    case Field::proxy_status:
    case Field::traceparent:
    case Field::x_request_id: return true;
    default: return false;  // whatever Weir acts on was decided when the head was read
  }
  for (std::string_view name :
       {"pragma", "warning", "www-authenticate", "authentication-info", "proxy-authentication-info", "set-cookie2",
        "cookie2", "x-real-ip", "x-http-method-override", "x-original-url"}) {
    if (equals_ignoring_case(header.name, name)) return false;
  }
  return !starts_with_ignoring_case(header.name, "content-") && !starts_with_ignoring_case(header.name, "if-") &&
         !starts_with_ignoring_case(header.name, "x-forwarded-");
}

}  // namespace weir::http
