#include "store/redis_address.h"

#include <optional>

#include "base/text.h"

namespace weir::store {

namespace {

using Problem = RedisAddress::Problem;
constexpr std::string_view kHint =
    "write redis://host:6379/0 or unix:/run/redis.sock; a login goes into `user` and `password`";

std::unexpected<Problem> wrong(std::string message, std::string_view hint = kHint) {
  return std::unexpected(Problem{std::move(message), std::string(hint)});
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/// RFC 3986 section 2.1; nothing when an escape is broken.
std::optional<std::string> unescaped(std::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      plain += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = hex_value(text[i + 1]);
    const int low = hex_value(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    plain += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return plain;
}

std::optional<uint32_t> parse_database(std::string_view text) {
  const auto number = parse_decimal(text);
  return number && *number < 65536 ? std::optional(static_cast<uint32_t>(*number)) : std::nullopt;
}

std::expected<RedisAddress, Problem> parse_unix(std::string_view rest) {
  RedisAddress address;
  take_prefix(rest, "//");
  const auto question = rest.find('?');
  address.path = rest.substr(0, question);
  if (!address.path.starts_with('/') || address.path.size() > 100) return wrong("a unix socket needs an absolute path");
  if (question == std::string_view::npos) return address;
  auto query = rest.substr(question + 1);
  const auto database = take_prefix(query, "db=") ? parse_database(query) : std::nullopt;
  if (!database)
    return wrong("behind the '?' of a unix socket a database is expected", "write unix:/run/redis.sock?db=1");
  address.database = *database;
  return address;
}

bool take_login(std::string_view login, RedisAddress& address) {
  const auto colon = login.find(':');
  const auto user = unescaped(login.substr(0, colon));
  const auto password =
      colon == std::string_view::npos ? std::optional(std::string()) : unescaped(login.substr(colon + 1));
  if (!user || !password || password->empty()) return false;
  address.user = *user;
  address.password = *password;
  return true;
}

}  // namespace

std::string RedisAddress::text() const {
  if (!path.empty()) return "unix:" + path;
  const bool is_v6 = host.contains(':');
  return (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::expected<RedisAddress, Problem> RedisAddress::parse_node(std::string_view text, uint16_t default_port) {
  RedisAddress address;
  address.port = default_port;
  std::string_view port;
  if (take_prefix(text, "[")) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return wrong("the ']' of an IPv6 address is missing");
    address.host = text.substr(0, end);
    port = text.substr(end + 1);
    if (!port.empty() && !take_prefix(port, ":")) return wrong("after ']' only a port may come");
  } else {
    const auto colon = text.rfind(':');
    address.host = text.substr(0, colon);
    if (colon != std::string_view::npos) port = text.substr(colon + 1);
  }
  if (address.host.empty()) return wrong("the host is missing");
  if (port.empty()) return address;
  const auto number = parse_decimal(port);
  if (!number || *number == 0 || *number > 65535) return wrong("'" + std::string(port) + "' is not a port");
  address.port = static_cast<uint16_t>(*number);
  return address;
}

std::expected<RedisAddress, Problem> RedisAddress::parse(std::string_view url) {
  if (url.starts_with("rediss:"))
    return wrong("Redis over TLS is not spoken here",
                 "run stunnel beside Weir and name its local port, or use a unix socket");
  if (take_prefix(url, "unix:")) return parse_unix(url);
  if (!take_prefix(url, "redis://")) return wrong("this is not the address of a Redis server");
  std::string_view database;
  if (const auto slash = url.rfind('/'); slash != std::string_view::npos) {
    database = url.substr(slash + 1);
    url = url.substr(0, slash);
  }
  const auto at = url.rfind('@');
  const auto login = at == std::string_view::npos ? std::string_view() : url.substr(0, at);
  auto address = parse_node(at == std::string_view::npos ? url : url.substr(at + 1), 6379);
  // The text may be a password whose '@' is missing: it is not repeated.
  if (!address) return wrong("host and port are expected behind '@', or the whole is a host and a port");
  if (!login.empty() && !take_login(login, *address))
    return wrong("before '@' a user and a password are expected",
                 "write %40 for an '@' in a login, or name it with `user` and `password`");
  if (database.empty()) return address;
  const auto number = parse_database(database);
  if (!number) return wrong("behind the last '/' the number of a database is expected");
  address->database = *number;
  return address;
}

}  // namespace weir::store
