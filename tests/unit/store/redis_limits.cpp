#include "store/redis_limits.h"

#include <doctest/doctest.h>

using namespace weir::store;
using namespace std::chrono_literals;

TEST_CASE("redis limits: a limit is put into the script's words") {
  RedisLimits limits("weir:");
  const Limit even{"api", Limit::Algorithm::gcra, 100, 1s, 20};
  CHECK(limits.of(even).terms == "$4\r\ngcra\r\n$6\r\n160000\r\n$7\r\n3200000\r\n$7\r\n3200000\r\n$2\r\n20\r\n");
  const Limit window{"day", Limit::Algorithm::fixed_window, 5, 24h};
  CHECK(limits.of(window).terms == "$5\r\nfixed\r\n$1\r\n5\r\n$11\r\n86400000000\r\n$1\r\n0\r\n$1\r\n5\r\n");
  Limit stretched = even;
  stretched.largest_burst = 30;
  CHECK(limits.of(stretched).terms == "$4\r\ngcra\r\n$6\r\n160000\r\n$7\r\n3200000\r\n$7\r\n4800000\r\n$2\r\n20\r\n");
}

TEST_CASE("redis limits: another limit in the place of one that is gone is no longer that one") {
  RedisLimits limits("weir:");
  std::string name = "before";
  Limit limit{name, Limit::Algorithm::gcra, 1, 1s, 3};
  CHECK(limits.of(limit).keys.after == "}:before");
  name = "behind";
  limit.name = name;
  limit.burst = 4;
  CHECK(limits.of(limit).keys.after == "}:behind");
  CHECK(limits.of(limit).most == 4);
}
