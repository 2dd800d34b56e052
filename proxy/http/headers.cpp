#include "http/headers.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace weir::http {

namespace {

/// Backends read two spellings of some fields as one, so both are one Field.
enum class Spelling : uint8_t { usual, other };

struct Name {
  std::string_view text;
  Field field;
  Spelling spelling = Spelling::usual;
};

// By length, so that a name is compared with the few that are as long as it.
constexpr std::array kNames{
    Name{"te", Field::te},
    Name{"age", Field::age},
    Name{"via", Field::via},
    Name{"host", Field::host},
    Name{"date", Field::date},
    Name{"etag", Field::etag},
    Name{"vary", Field::vary},
    Name{"range", Field::range},
    Name{"proxy", Field::proxy},
    Name{"accept", Field::accept},
    Name{"cookie", Field::cookie},
    Name{"expect", Field::expect},
    Name{"origin", Field::origin},
    Name{"server", Field::server},
    Name{"expires", Field::expires},
    Name{"referer", Field::referer},
    Name{"trailer", Field::trailer},
    Name{"upgrade", Field::upgrade},
    Name{"cdn-loop", Field::cdn_loop},
    Name{"location", Field::location},
    Name{"forwarded", Field::forwarded},
    Name{"x-real-ip", Field::x_real_ip},
    Name{"connection", Field::connection},
    Name{"user-agent", Field::user_agent},
    Name{"keep-alive", Field::keep_alive},
    Name{"set-cookie", Field::set_cookie},
    Name{"retry-after", Field::retry_after},
    Name{"traceparent", Field::traceparent},
    Name{"remote-user", Field::remote_user},
    Name{"client-cert", Field::client_cert},
    Name{"grpc-timeout", Field::grpc_timeout},
    Name{"content-type", Field::content_type},
    Name{"max-forwards", Field::max_forwards},
    Name{"proxy-status", Field::proxy_status},
    Name{"x-request-id", Field::x_request_id},
    Name{"authorization", Field::authorization},
    Name{"cache-control", Field::cache_control},
    Name{"if-none-match", Field::if_none_match},
    Name{"last-modified", Field::last_modified},
    Name{"x-remote-user", Field::remote_user, Spelling::other},
    Name{"x-rewrite-url", Field::x_original_url, Spelling::other},
    Name{"content-length", Field::content_length},
    Name{"http2-settings", Field::http2_settings},
    Name{"x-original-url", Field::x_original_url},
    Name{"true-client-ip", Field::true_client_ip},
    Name{"accept-encoding", Field::accept_encoding},
    Name{"x-forwarded-for", Field::x_forwarded_for},
    Name{"content-encoding", Field::content_encoding},
    Name{"proxy-connection", Field::proxy_connection},
    Name{"x-forwarded-host", Field::x_forwarded_host},
    Name{"x-forwarded-user", Field::x_forwarded_user},
    Name{"x-forwarded-port", Field::x_forwarded_port},
    Name{"if-modified-since", Field::if_modified_since},
    Name{"transfer-encoding", Field::transfer_encoding},
    Name{"x-forwarded-proto", Field::x_forwarded_proto},
    Name{"client-cert-chain", Field::client_cert_chain},
    Name{"x-forwarded-email", Field::x_forwarded_email},
    Name{"proxy-authenticate", Field::proxy_authenticate},
    Name{"x-forwarded-prefix", Field::x_forwarded_prefix},
    Name{"x-forwarded-groups", Field::x_forwarded_groups},
    Name{"proxy-authorization", Field::proxy_authorization},
    Name{"x-forwarded-preferred-username", Field::x_forwarded_preferred_username},
};

constexpr size_t kLongest = kNames.back().text.size();
constexpr uint32_t kFirstLines = 16;  // of a new table; most heads fit

// kFirst[n]: where the names of n characters begin; they end at kFirst[n + 1].
constexpr auto kFirst = [] {
  std::array<uint8_t, kLongest + 2> first{};
  for (size_t length = 0; length < first.size(); ++length) {
    while (first[length] < kNames.size() && kNames[first[length]].text.size() < length) ++first[length];
  }
  return first;
}();

static_assert(std::ranges::is_sorted(kNames, {}, [](const Name& name) { return name.text.size(); }));

}  // namespace

Field field_of(std::string_view name) {
  if (name.empty() || name.size() > kLongest) return Field::other;
  const char last = to_lower(name.back());
  for (size_t i = kFirst[name.size()]; i < kFirst[name.size() + 1]; ++i) {
    if (kNames[i].text.back() == last && equals_lower(name, kNames[i].text)) return kNames[i].field;
  }
  return Field::other;
}

std::string_view name_of(Field field) {
  const auto name = std::ranges::find_if(
      kNames, [field](const Name& one) { return one.field == field && one.spelling == Spelling::usual; });
  return name == kNames.end() ? std::string_view() : name->text;
}

void Headers::grow() {
  const uint32_t capacity = capacity_ == 0 ? kFirstLines : capacity_ * 2;
  auto* table = static_cast<Header*>(arena_->bump(capacity * sizeof(Header), alignof(Header)));
  if (size_ > 0) std::memcpy(static_cast<void*>(table), table_, size_ * sizeof(Header));
  table_ = table;
  capacity_ = capacity;
}

void Headers::add(std::string_view name, std::string_view value, Field field) {
  if (size_ == capacity_) grow();
  new (table_ + size_++) Header{name, value, field};
  present_ |= set_of(field);
}

void Headers::set(std::string_view name, std::string_view value, Field field) {
  if (!may_have(set_of(field))) return add(name, value, field);
  const auto is_same = [name, field](const Header& header) {
    return header.field == field && equals_ignoring_case(header.name, name);
  };
  Header* const first = std::find_if(begin(), end(), is_same);
  if (first == end()) return add(name, value, field);
  first->value = value;
  remove_if([&](const Header& header) { return &header > first && is_same(header); });
}

size_t Headers::remove(std::string_view name) {
  return remove_if([name](const Header& header) { return equals_ignoring_case(header.name, name); });
}

size_t Headers::remove(Field field) {
  if (!may_have(set_of(field))) return 0;
  return remove_if([field](const Header& header) { return header.field == field; });
}

std::optional<std::string_view> Headers::get(std::string_view name) const {
  for (const Header& header : *this) {
    if (equals_ignoring_case(header.name, name)) return header.value;
  }
  return std::nullopt;
}

std::optional<std::string_view> Headers::get(Field field) const {
  if (!may_have(set_of(field))) return std::nullopt;
  for (const Header& header : *this) {
    if (header.field == field) return header.value;
  }
  return std::nullopt;
}

size_t Headers::count(Field field) const {
  if (!may_have(set_of(field))) return 0;
  return static_cast<size_t>(std::ranges::count(begin(), end(), field, &Header::field));
}

std::optional<std::string_view> Headers::joined(std::string_view name) const {
  size_t lines = 0;
  size_t bytes = 0;
  std::string_view only;
  for (const Header& header : *this) {
    if (!equals_ignoring_case(header.name, name)) continue;
    only = header.value;
    bytes += only.size() + 2;
    ++lines;
  }
  if (lines == 0) return std::nullopt;
  if (lines == 1) return only;

  auto* const text = static_cast<char*>(arena_->bump(bytes, 1));
  char* to = text;
  for (const Header& header : *this) {
    if (!equals_ignoring_case(header.name, name)) continue;
    if (to != text) to = std::ranges::copy(std::string_view(", "), to).out;
    to = std::ranges::copy(header.value, to).out;
  }
  return std::string_view(text, static_cast<size_t>(to - text));
}

Headers Headers::copy(Arena& arena, Deep deep) const {
  Headers copied(arena);
  if (empty()) return copied;
  copied.capacity_ = std::max(size_, kFirstLines);
  copied.size_ = size_;
  copied.present_ = present_;
  copied.table_ = static_cast<Header*>(arena.bump(copied.capacity_ * sizeof(Header), alignof(Header)));
  std::memcpy(static_cast<void*>(copied.table_), table_, size_ * sizeof(Header));
  if (deep == Deep::no) return copied;
  for (Header& header : copied) {
    header.name = arena.copy(header.name);
    header.value = arena.copy(header.value);
  }
  return copied;
}

}  // namespace weir::http
