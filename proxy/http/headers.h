#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/arena.h"
#include "base/text.h"

namespace weir::http {

/// Field names that Weir itself acts on, interned when a head is parsed; `other` is every other name.
enum class Field : uint8_t {
  other,
  accept,
  accept_encoding,
  age,
  authorization,
  cache_control,
  cdn_loop,
  client_cert,
  client_cert_chain,
  connection,
  content_encoding,
  content_length,
  content_type,
  cookie,
  date,
  etag,
  expect,
  expires,
  forwarded,
  grpc_timeout,
  host,
  http2_settings,
  if_modified_since,
  if_none_match,
  keep_alive,
  last_modified,
  location,
  max_forwards,
  origin,
  proxy,
  proxy_authenticate,
  proxy_authorization,
  proxy_connection,
  proxy_status,
  range,
  referer,
  remote_user,
  retry_after,
  server,
  set_cookie,
  te,
  traceparent,
  trailer,
  transfer_encoding,
  true_client_ip,
  upgrade,
  user_agent,
  vary,
  via,
  x_forwarded_email,
  x_forwarded_for,
  x_forwarded_groups,
  x_forwarded_host,
  x_forwarded_port,
  x_forwarded_preferred_username,
  x_forwarded_prefix,
  x_forwarded_proto,
  x_forwarded_user,
  x_original_url,
  x_real_ip,
  x_request_id,
};

/// Several names at once.
using FieldSet = uint64_t;
constexpr FieldSet set_of(auto... fields) {
  return ((FieldSet{1} << static_cast<unsigned>(fields)) | ... | FieldSet{0});
}

/// The interned name, without regard to case.
Field field_of(std::string_view name);
/// In lower case; "" for `other`.
std::string_view name_of(Field field);

struct Header {
  std::string_view name;  // as it came (h1) or lower case (h2)
  std::string_view value;
  Field field = Field::other;
};

/// The field lines of one message in their order. Names and values are views into the arena (or literals);
/// the table grows in the arena too, so it is made and dropped for free.
class Headers {
 public:
  explicit Headers(Arena& arena) : arena_(&arena) {}

  /// Views must live as long as the arena.
  void add(std::string_view name, std::string_view value) { add(name, value, field_of(name)); }
  void add(std::string_view name, std::string_view value, Field field);
  /// Replaces the first line of that name, removes the others, or adds one.
  void set(std::string_view name, std::string_view value) { set(name, value, field_of(name)); }
  void set(std::string_view name, std::string_view value, Field field);
  /// How many lines went.
  size_t remove(std::string_view name);
  size_t remove(Field field);

  /// The first line's value.
  std::optional<std::string_view> get(std::string_view name) const;
  std::optional<std::string_view> get(Field field) const;
  bool has(Field field) const { return get(field).has_value(); }
  /// False only when the head surely has none of these: how most requests pass most rules.
  bool may_have(FieldSet fields) const { return (present_ & fields) != 0; }
  size_t count(Field field) const;
  /// All values of that name joined by ", " (RFC 9110 section 5.3); nothing when there is none.
  std::optional<std::string_view> joined(std::string_view name) const;

  /// Drops the lines for which `drop(header)` is true, keeping the order.
  template <class Drop>
  size_t remove_if(Drop drop);

  Header* begin() { return table_; }
  Header* end() { return table_ + size_; }
  const Header* begin() const { return table_; }
  const Header* end() const { return table_ + size_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  void clear() {
    size_ = 0;
    present_ = 0;
  }
  /// Another table with the same lines in `arena`; with `Deep::yes` names and values are copied too.
  enum class Deep : bool { no, yes };
  Headers copy(Arena& arena, Deep deep = Deep::no) const;
  Arena& arena() const { return *arena_; }

 private:
  void grow();

  Arena* arena_;
  Header* table_ = nullptr;
  uint32_t size_ = 0;
  uint32_t capacity_ = 0;
  FieldSet present_ = 0;  // a field's bit stays when its last line has gone
};

template <class Drop>
size_t Headers::remove_if(Drop drop) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < size_; ++i) {
    if (!drop(table_[i])) table_[kept++] = table_[i];
  }
  const size_t removed = size_ - kept;
  size_ = kept;
  return removed;
}

}  // namespace weir::http
