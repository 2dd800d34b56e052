#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "http/headers.h"

namespace weir::http {

enum class Method : uint8_t { get, head, post, put, delete_, connect, options, trace, patch, query, other };
enum class Version : uint8_t { http10, http11, http2 };

/// RFC 9110 section 9.2.1 and 9.2.2, RFC 10008 (QUERY). An unknown method is neither.
constexpr bool is_safe(Method m) {
  return m == Method::get || m == Method::head || m == Method::options || m == Method::trace || m == Method::query;
}
constexpr bool is_idempotent(Method m) { return is_safe(m) || m == Method::put || m == Method::delete_; }

Method method_of(std::string_view name);
/// One of the methods that both versions take without further ado; the configuration may add to them.
bool is_known_method(std::string_view name);
std::string_view name_of(Method method);      // "GET"; "OTHER" for other
std::string_view name_of(Version version);    // "HTTP/1.1"
std::string_view reason_of(uint16_t status);  // "Not Found"; "" when unknown

struct RequestHead;
/// The size of a head over HTTP/2: the bytes of names and values, and 32 for each field (RFC 9113 section 6.5.2).
size_t list_size(const RequestHead& head);
size_t list_size(const Headers& fields);
/// Is the head's method known, or one of `more_methods`?
bool takes_method(const RequestHead& head);

/// How long a message's body is. A known length may be 0, which is not the same as no body at all
/// (`Content-Length: 0` is forwarded).
struct BodySize {
  enum class Kind : uint8_t { none, known, unknown, tunnel } kind = Kind::none;
  uint64_t bytes = 0;

  static constexpr BodySize none() { return {}; }
  static constexpr BodySize known(uint64_t n) { return {Kind::known, n}; }
  static constexpr BodySize unknown() { return {Kind::unknown, 0}; }
  static constexpr BodySize tunnel() { return {Kind::tunnel, 0}; }
  bool is_empty() const { return kind == Kind::none || (kind == Kind::known && bytes == 0); }
  bool operator==(const BodySize&) const = default;
};

/// All views lie in the arena of the exchange.
struct RequestHead {
  explicit RequestHead(Arena& arena) : headers(arena) {}

  Method method = Method::get;
  Version version = Version::http11;
  std::string_view method_name;  // "GET", "PURGE"
  std::string_view scheme;       // "http" or "https": an absolute-form target's; once admitted, the client's (Client)
  std::string_view
      authority;            // host[:port]: absolute-form target, else Host (:authority in h2); "" on 1.0 without Host
  std::string_view target;  // the request-target as it came, for logs
  std::string_view path;    // "/a/b", "*" (asterisk-form) or "" (authority-form); once admitted, what is sent
  std::string_view decoded_path;  // what routes match in place of `path`; "" = `path` itself
  std::string_view query;         // without '?'
  bool has_query = false;         // "/?" has an empty one
  std::string_view protocol;      // not empty: asks for a tunnel of that protocol ("websocket"), which a 101 grants
  // Methods that are taken beside the known ones; null: none. Outlives the reading of the head.
  const std::vector<std::string>* more_methods = nullptr;
  Headers headers;  // Host and framing fields are in here too

  /// The form of the path that rules go by: routes, and keys of limits.
  std::string_view matched_path() const { return decoded_path.empty() ? path : decoded_path; }
};

struct ResponseHead {
  explicit ResponseHead(Arena& arena) : headers(arena) {}

  uint16_t status = 0;
  Version version = Version::http11;
  std::string_view reason;  // as the upstream sent it; "" = the standard one
  Headers headers;
};

}  // namespace weir::http
