#include "store/redis_address.h"

#include <doctest/doctest.h>

using namespace weir::store;

TEST_CASE("redis address: a host alone has Redis' port and the first database") {
  const auto address = RedisAddress::parse("redis://cache.internal");
  REQUIRE(address.has_value());
  CHECK(address->host == "cache.internal");
  CHECK(address->port == 6379);
  CHECK(address->database == 0);
  CHECK(address->text() == "cache.internal:6379");
}

TEST_CASE("redis address: user, password, port and database, with escapes") {
  const auto address = RedisAddress::parse("redis://weir:p%40ss%2fword@[::1]:7000/12");
  REQUIRE(address.has_value());
  CHECK(address->user == "weir");
  CHECK(address->password == "p@ss/word");
  CHECK(address->host == "::1");
  CHECK(address->database == 12);
  CHECK(address->text() == "[::1]:7000");
  const auto alone = RedisAddress::parse("redis://:secret@h/");
  REQUIRE(alone.has_value());
  CHECK(alone->user.empty());
  CHECK(alone->password == "secret");
}

TEST_CASE("redis address: a unix socket, with a database") {
  const auto address = RedisAddress::parse("unix:/run/redis.sock?db=2");
  REQUIRE(address.has_value());
  CHECK(address->path == "/run/redis.sock");
  CHECK(address->database == 2);
  CHECK(RedisAddress::parse("unix:///run/redis.sock")->path == "/run/redis.sock");
}

TEST_CASE("redis address: TLS is refused with a reason and a way out") {
  const auto refused = RedisAddress::parse("rediss://h");
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().message.contains("TLS"));
  CHECK(refused.error().hint.contains("stunnel"));
}

TEST_CASE("redis address: what is wrong is told without a part of the password") {
  for (const auto* text :
       {"redis://user:hun/ter2@h:6379", "redis://:hunter2", "redis://user:hunter2", "redis:/:hunter2@h",
        "redis://h/hunter2", "unix:/run/r?hunter2", "redis://hun:ter2:hunter2", "redis://:hunter%2@h"}) {
    INFO(text);
    const auto refused = RedisAddress::parse(text);
    REQUIRE_FALSE(refused.has_value());
    CHECK_FALSE(refused.error().message.contains("ter2"));
    CHECK_FALSE(refused.error().hint.contains("ter2"));
  }
}

TEST_CASE("redis address: nonsense is refused") {
  for (const auto* text :
       {"", "h:6379", "http://h", "redis://", "redis://h:0", "redis://h:70000", "redis://h/x", "redis://h:1/99999999",
        "redis://user@h", "redis://user:%zz@h", "redis://[::1", "unix:x", "unix:/x?base=1"}) {
    INFO(text);
    CHECK_FALSE(RedisAddress::parse(text).has_value());
  }
}
