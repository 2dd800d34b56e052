#include "http/h2_codec_fields.h"

#include <charconv>

#include "http/framing.h"
#include "http/hop_by_hop.h"

namespace weir::http {

namespace {

constexpr size_t kMostPseudo = 6;  // and Content-Length

nghttp2_nv field(std::string_view name, std::string_view value) {
  const auto bytes = [](std::string_view text) { return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data())); };
  return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

/// An extended CONNECT has no handshake of keys (RFC 8441 section 5).
bool is_of_handshake(std::string_view name) {
  return equals_ignoring_case(name, "sec-websocket-key") || equals_ignoring_case(name, "sec-websocket-accept");
}

/// All but those of `skipped`.
void add_fields(OutgoingFields& fields, const Headers& headers, FieldSet skipped, bool is_tunnel) {
  for (const Header& header : headers) {
    if (header.field == Field::te) {
      if (takes_trailers(header.value)) fields.add("te", "trailers");
      continue;
    }
    if (is_connection_specific(header.field) || (set_of(header.field) & skipped) != 0) continue;
    if (is_tunnel && is_of_handshake(header.name)) continue;
    fields.add(header.name, header.value);
  }
}

std::string_view path_of(const RequestHead& head) {
  if (!head.has_query) return head.path.empty() ? "/" : head.path;
  return head.headers.arena().concat({head.path, "?", head.query});
}

}  // namespace

OutgoingFields::OutgoingFields(Arena& arena, size_t most)
    : arena_(arena), table_(static_cast<nghttp2_nv*>(arena.bump(most * sizeof(nghttp2_nv), alignof(nghttp2_nv)))) {}

/// RFC 9113 section 8.2.1: a value with blanks around it makes the message malformed, wherever the value came from.
void OutgoingFields::add(std::string_view name, std::string_view value) { table_[size_++] = field(name, trim(value)); }

void OutgoingFields::add(std::string_view name, uint64_t value) {
  char digits[20];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
  add(name, arena_.copy({digits, static_cast<size_t>(end - digits)}));
}

OutgoingFields fields_of(const RequestHead& head, BodySize body) {
  const bool is_tunnel = !head.protocol.empty();
  OutgoingFields fields(head.headers.arena(), head.headers.size() + kMostPseudo);
  const auto method = head.method_name.empty() ? name_of(head.method) : head.method_name;
  fields.add(":method", is_tunnel ? std::string_view("CONNECT") : method);
  fields.add(":scheme", head.scheme.empty() ? std::string_view("http") : head.scheme);
  // RFC 9113 section 8.3.1: none for a request without Host.
  if (!head.authority.empty()) fields.add(":authority", head.authority);
  fields.add(":path", path_of(head));
  if (is_tunnel) fields.add(":protocol", head.protocol);
  add_fields(fields, head.headers, set_of(Field::host, Field::content_length), is_tunnel);
  if (body.kind == BodySize::Kind::known) fields.add("content-length", body.bytes);
  return fields;
}

OutgoingFields fields_of(const ResponseHead& head, Method method, BodySize body) {
  const bool is_tunnel = head.status == 101;
  OutgoingFields fields(head.headers.arena(), head.headers.size() + kMostPseudo);
  fields.add(":status", is_tunnel ? 200 : head.status);
  add_fields(fields, head.headers, set_of(Field::content_length), is_tunnel);
  if (is_tunnel || head.status < 200 || head.status == 204) return fields;
  const auto given = head.headers.get(Field::content_length);
  const bool is_known = body.kind == BodySize::Kind::known;
  if (is_bodyless(method, head.status) && given) {
    fields.add("content-length", *given);
  } else if (is_known && (method == Method::head || !is_bodyless(method, head.status))) {
    fields.add("content-length", body.bytes);
  }
  return fields;
}

void submit_status(nghttp2_session* session, int32_t stream, std::string_view status) {
  const nghttp2_nv only = field(":status", status);
  nghttp2_submit_response(session, stream, &only, 1, nullptr);
}

}  // namespace weir::http
