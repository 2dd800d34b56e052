#include "plugins/cache/storage/packed.h"

#include <algorithm>
#include <concepts>
#include <cstring>

#include "http/hop_by_hop.h"
#include "http/syntax.h"

namespace weir::plugins {

// A version, then numbers in the machine's order (little-endian on all that we build for) and texts behind their
// length.

namespace {

constexpr uint8_t kVersion = 4;
constexpr uint32_t kMostItems = 4096;
constexpr Duration kLongest = std::chrono::hours(24 * 365 * 100);

class Writer {
 public:
  template <std::integral I>
  void number(I value) {
    text_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void text(std::string_view text) {
    number(static_cast<uint32_t>(text.size()));
    text_.append(text);
  }
  void duration(Duration duration) { number(static_cast<int64_t>(duration.count())); }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  template <std::integral I>
  I number() {
    I value{};
    const auto bytes = take(sizeof value);
    if (is_good()) std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }
  std::string_view text() { return take(number<uint32_t>()); }
  /// From 0 to a century: what can be reckoned with.
  Duration duration() {
    const Duration duration(number<int64_t>());
    is_good_ = is_good_ && duration >= Duration{} && duration <= kLongest;
    return is_good_ ? duration : Duration{};
  }
  /// How many things follow.
  uint32_t count() {
    const auto count = number<uint32_t>();
    is_good_ = is_good_ && count <= kMostItems;
    return is_good_ ? count : 0;
  }
  bool is_good() const { return is_good_; }
  bool is_at_end() const { return is_good_ && rest_.empty(); }

 private:
  std::string_view take(size_t count) {
    is_good_ = is_good_ && count <= rest_.size();
    if (!is_good_) return {};
    const auto taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }

  std::string_view rest_;
  bool is_good_ = true;
};

/// Since 1970.
Duration wall_time(const Moments& at) { return std::chrono::duration_cast<Duration>(at.wall.time_since_epoch()); }

void pack_terms(Writer& out, const Object& object, const Moments& at) {
  const auto& terms = object.terms;
  const auto born = wall_time(at) - object.age(at.now);
  for (const auto duration : {born, terms.lifetime, terms.while_revalidate, terms.if_error, object.took}) {
    out.duration(std::clamp(duration, Duration{}, kLongest));
  }
  out.number(static_cast<uint8_t>((terms.must_revalidate ? 1 : 0) | (terms.always_revalidate ? 2 : 0)));
}

void pack_body(Writer& out, Content& content) {
  std::string bytes;
  bytes.reserve(content.size());
  Content::Reader reader(content);
  for (auto piece = reader.next(UINT64_MAX); !piece.bytes.empty(); piece = reader.next(UINT64_MAX)) {
    bytes.append(piece.bytes);
  }
  out.text(bytes);
}

/// An age can't be negative, whatever the other machine's clock says.
Object::Terms unpack_terms(Reader& in, Duration& took, const Moments& at) {
  Object::Terms terms;
  const Duration age = wall_time(at) - in.duration();
  terms.born = at.now - std::max(age, Duration{});
  terms.lifetime = in.duration();
  terms.while_revalidate = in.duration();
  terms.if_error = in.duration();
  took = in.duration();
  const auto flags = in.number<uint8_t>();
  terms.must_revalidate = flags & 1;
  terms.always_revalidate = flags & 2;
  return terms;
}

/// Stored fields go to clients: refuses fields that end a line or frame the response.
bool may_be_sent(const http::Header& header) {
  return http::is_token(header.name) && http::count_field_bytes(header.value) == header.value.size() &&
         !http::is_connection_specific(header.field) && header.field != http::Field::content_length;
}

Selection unpack_selection(Reader& in) {
  Selection selection;
  for (auto left = in.count(); left > 0; --left) {
    const std::string name(in.text());
    const std::string value(in.text());
    selection.members.push_back({name, value, in.number<uint8_t>() != 0});
  }
  return selection;
}

}  // namespace

std::string pack(const Object& object, std::string_view key, std::string_view purge_id, const Moments& at,
                 std::optional<Pieces> pieces) {
  Writer out;
  out.number(kVersion);
  out.text(key);
  out.text(purge_id);
  out.number(object.status);
  pack_terms(out, object, at);
  out.number(static_cast<uint32_t>(object.selection.members.size()));
  for (const auto& member : object.selection.members) {
    out.text(member.name);
    out.text(member.value);
    out.number(static_cast<uint8_t>(member.is_absent));
  }
  out.number(static_cast<uint32_t>(object.tags.size()));
  for (const auto tag : object.tags) out.number(tag);
  out.number(static_cast<uint32_t>(object.shown().size()));
  out.number(static_cast<uint32_t>(object.fields().size()));
  for (const auto& field : object.fields()) {
    out.text(field.name);
    out.text(field.value);
  }
  out.number(pieces ? pieces->size : uint64_t{0});
  if (pieces) out.number(pieces->id);
  else pack_body(out, *object.content);
  return out.take();
}

std::optional<Unpacked> unpack(std::string_view text, std::string_view key, const Moments& at, Arena& arena) {
  Reader in(text);
  if (in.number<uint8_t>() != kVersion || in.text() != key) return std::nullopt;
  Unpacked result;
  result.purge_id = in.text();
  http::ResponseHead head(arena);
  head.status = in.number<uint16_t>();
  Duration took{};
  const auto terms = unpack_terms(in, took, at);
  auto selection = unpack_selection(in);
  std::vector<uint64_t> tags;
  for (auto left = in.count(); left > 0; --left) tags.push_back(in.number<uint64_t>());
  const auto shown = in.number<uint32_t>();
  for (auto left = in.count(); left > 0; --left) {
    const auto name = in.text();
    head.headers.add(name, in.text());
  }
  if (const auto size = in.number<uint64_t>()) result.pieces = Pieces{in.number<uint64_t>(), size};
  const auto body = result.pieces ? std::string_view() : in.text();
  if (!in.is_at_end() || shown > head.headers.size()) return std::nullopt;
  if (head.status < 200 || head.status > 599 || !std::ranges::all_of(head.headers, may_be_sent)) return std::nullopt;
  auto content = std::make_shared<Content>(result.pieces ? result.pieces->size : body.size());
  content->append(body);
  if (!result.pieces) content->finish();
  const auto is_hidden = [&](const http::Header& header) { return &header - head.headers.begin() >= shown; };
  result.object = std::make_shared<Object>(head, terms, std::move(content), is_hidden);
  result.object->selection = std::move(selection);
  result.object->tags = std::move(tags);
  result.object->received = at.now;
  result.object->took = took;
  return result;
}

}  // namespace weir::plugins
