#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace weir::store {

/// One Redis server, or where one is to be found, as `redis://[user[:password]@]host[:port][/database]` or
/// `unix:/path[?db=n]` says it. A password alone is `redis://:password@host`.
struct RedisAddress {
  std::string host;  // a name or an IP address; "" for a unix socket
  uint16_t port = 6379;
  std::string path;  // of a unix socket
  std::string user;
  std::string password;
  uint32_t database = 0;

  /// The server without its secrets: "127.0.0.1:6379", "unix:/run/redis.sock".
  std::string text() const;
  bool operator==(const RedisAddress&) const = default;

  /// What is wrong with a text, and what to write instead.
  struct Problem {
    std::string message;
    std::string hint;
  };
  static std::expected<RedisAddress, Problem> parse(std::string_view url);
  /// "host:port" or "[v6]:port", the form in which nodes name each other.
  static std::expected<RedisAddress, Problem> parse_node(std::string_view text, uint16_t default_port);
};

}  // namespace weir::store
