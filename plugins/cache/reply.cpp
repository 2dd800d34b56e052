#include "plugins/cache/reply.h"

#include <charconv>

#include "plugins/cache/rules/conditions.h"
#include "plugins/cache/rules/range.h"
#include "plugins/cache/stored_body.h"

namespace weir::plugins {

namespace {

std::string_view digits_of(uint64_t number, Arena& arena) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  return arena.copy({digits, static_cast<size_t>(end - digits)});
}

std::optional<uint64_t> length_of(const Object& object) {
  const auto& content = *object.content;
  return content.state() == Content::State::whole ? content.size() : content.announced();
}

/// RFC 9110 section 15.4.5: what tells of the representation stays away, but for what identifies it.
bool is_in_304(const http::Header& header, const Validators& validators) {
  switch (header.field) {
    case http::Field::content_type:
    case http::Field::content_encoding: return false;
    case http::Field::last_modified: return validators.etag.empty();
    default: return true;
  }
}

/// A 416 is about the range that was asked for: nobody is to keep it for the page.
bool is_in_416(const http::Header& header) {
  switch (header.field) {
    case http::Field::cache_control:
    case http::Field::expires:
    case http::Field::content_type:
    case http::Field::content_encoding: return false;
    default: return !equals_lower(header.name, "cdn-cache-control");
  }
}

bool is_sent(const http::Header& header, uint16_t status, const Validators& validators) {
  if (status == 304) return is_in_304(header, validators);
  return status != 416 || is_in_416(header);
}

/// What is sent of an object: its status, and which bytes.
struct Part {
  uint16_t status;
  http::BodySize size;
  uint64_t first = 0;
  uint64_t count = UINT64_MAX;
  std::string_view content_range;
};

Part whole(const Object& object) {
  const auto length = length_of(object);
  return {object.status, length ? http::BodySize::known(*length) : http::BodySize::unknown()};
}

Part range(const Object& object, std::string_view field, uint64_t length, Arena& arena) {
  const auto asked = asked_range(field, length);
  const auto total = digits_of(length, arena);
  if (asked.kind == RangeAsked::Kind::not_satisfiable) {
    return {416, http::BodySize::known(0), 0, 0, arena.concat({"bytes */", total})};
  }
  if (asked.kind == RangeAsked::Kind::whole) return whole(object);
  const auto& part = asked.range;
  const auto text =
      arena.concat({"bytes ", digits_of(part.first, arena), "-", digits_of(part.last, arena), "/", total});
  return {206, http::BodySize::known(part.size()), part.first, part.size(), text};
}

Part part_for(Exchange& exchange, const Object& object) {
  const auto& request = exchange.request;
  if (is_not_modified(request.headers, object.validators()) && object.status == 200) {
    return {304, http::BodySize::none(), 0, 0};
  }
  const auto field = request.headers.get(http::Field::range);
  const auto length = length_of(object);
  const bool may_be_part = field && length && object.status == 200 && request.method == http::Method::get &&
                           may_send_range(request.headers, object.validators());
  Part part = may_be_part ? range(object, *field, *length, exchange.arena()) : whole(object);
  if (request.method == http::Method::head) part.count = 0;
  return part;
}

}  // namespace

bool reply(Exchange& exchange, const ObjectPtr& object) {
  Arena& arena = exchange.arena();
  if (object->content->state() == Content::State::broken) return false;
  const Part part = part_for(exchange, *object);
  auto body = make_in<StoredBody>(arena, exchange, object, part.size, part.first, part.count);
  if (body->has_missed()) return false;
  std::optional<Exchange::Replaced> replaced;
  if (exchange.failure || exchange.response.head.status >= 500) replaced = exchange.replaced(arena);
  exchange.failure.reset();
  exchange.response.body.reset();
  auto& head = exchange.response.head;
  head = http::ResponseHead(arena);
  head.status = part.status;
  for (const auto& field : object->shown()) {
    if (is_sent(field, part.status, object->validators())) head.headers.add(field.name, field.value, field.field);
  }
  if (!part.content_range.empty()) head.headers.set("Content-Range", part.content_range);
  const auto age = std::chrono::duration_cast<std::chrono::seconds>(object->age(exchange.loop().now()));
  head.headers.add("Age", digits_of(static_cast<uint64_t>(std::max<int64_t>(age.count(), 0)), arena), http::Field::age);
  exchange.response.body = std::move(body);
  if (replaced) exchange.answered_for(*replaced);
  return true;
}

}  // namespace weir::plugins
