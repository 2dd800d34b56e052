#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/reader.h"
#include "http/message.h"
#include "routing/regex.h"

namespace weir::routing {

/// `api.example.com`, `*.example.com` (one label or more), `{ regex: … }`. Lower case, without a trailing dot.
struct HostPattern {
  enum class Kind : uint8_t { exact, wildcard, regex } kind = Kind::exact;
  std::string text;   // wildcard: ".example.com"
  uint16_t port = 0;  // 0 = any

  bool operator==(const HostPattern&) const = default;
};

/// `/v1` (a prefix, on segment boundaries), `{ exact: … }`, `{ regex: … }`. A prefix has no slash at its end, so "" is
/// any path.
struct PathPattern {
  enum class Kind : uint8_t { prefix, exact, regex } kind = Kind::prefix;
  std::string text;

  bool is_any() const { return kind == Kind::prefix && text.empty(); }
  bool operator==(const PathPattern&) const = default;
};

/// What a header or a query parameter of one name must be: `acme`, `{ regex: … }`, `{ present: … }`.
struct FieldPattern {
  enum class Kind : uint8_t { exact, regex, present, absent } kind = Kind::exact;
  std::string text;

  bool operator==(const FieldPattern&) const = default;
};

void decode(config::Reader& r, HostPattern& out);
void decode(config::Reader& r, PathPattern& out);
void decode(config::Reader& r, FieldPattern& out);

/// A Problem at `key` unless `pattern` compiles.
void check_regex(config::Reader& r, std::string_view key, const std::string& pattern, Case letters = Case::sensitive);
/// The same, and one unless some path matches; a warning when it matches less than it seems to.
void check_path_regex(config::Reader& r, std::string_view key, const std::string& pattern);

/// As written: "*.example.com:8080", "regex ^a.*$".
std::string text_of(const HostPattern& pattern);
std::string text_of(const PathPattern& pattern);
std::string text_of(const FieldPattern& pattern);

/// Does the first match all that the second one matches? False where only a proof would tell.
bool covers(const HostPattern& wide, const HostPattern& narrow);
bool covers(const PathPattern& wide, const PathPattern& narrow);

/// Whether `path` is `prefix` or lies below it: "/v1" has "/v1", "/v1/" and "/v1/x", not "/v10".
constexpr bool is_below(std::string_view path, std::string_view prefix) {
  return path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
}

/// The host that a request asks for, as the patterns want it: lower case, without port and trailing dot. Names
/// beyond DNS's 255 bytes are "". Owns its bytes: no malloc.
class RequestHost {
 public:
  explicit RequestHost(const http::RequestHead& head);
  std::string_view name() const { return {name_, size_}; }
  uint16_t port() const { return port_; }  // the scheme's own when the request tells none

 private:
  char name_[255];
  uint8_t size_ = 0;
  uint16_t port_ = 0;
};

}  // namespace weir::routing
