#include "admin/status_table.h"

#include <doctest/doctest.h>

#include "admin/upstreams_json.h"

using namespace weir::admin;

TEST_CASE("status table: a row for each endpoint of what /upstreams says") {
  const auto table = status_table(upstreams_json({
      {"api",
       "round_robin",
       {{.address = "127.0.0.1:9001", .weight = 2, .health = "up", .active = 3, .requests = 1200, .latency_ms = 4.25},
        {.address = "127.0.0.1:9002",
         .is_backup = true,
         .health = "down",
         .by = "check",
         .why = "a check failed: status 503",
         .since = "2026-01-01T00:00:00.000Z",
         .failures = 7}}},
      {"empty", "maglev", {}},
  }));
  REQUIRE(table);
  CHECK(*table ==
        "UPSTREAM  BALANCE      ENDPOINT        HEALTH         WEIGHT  ACTIVE  REQUESTS  FAILURES  LATENCY  WHY\n"
        "api       round_robin  127.0.0.1:9001  up                  2       3      1200         0   4.2 ms\n"
        "                       127.0.0.1:9002  down (backup)       1       0         0         7        -  "
        "check: a check failed: status 503, since 2026-01-01T00:00:00.000Z\n"
        "empty     maglev       (no endpoints)\n");
}

TEST_CASE("status table: an endpoint that takes no connections says until when it is left alone") {
  const auto table = status_table(
      upstreams_json({{.name = "api",
                       .balance = "round_robin",
                       .endpoints = {{.address = "10.0.0.1:80",
                                      .health = "up",
                                      .connect_failures = 4,
                                      .paused_until = "2026-01-01T00:00:02.000Z"},
                                     {.address = "10.0.0.2:80", .health = "up", .connect_failures = 1}}}}));
  REQUIRE(table.has_value());
  CHECK(table->contains("up (paused)"));
  CHECK(table->contains("4 connections in a row failed, paused until 2026-01-01T00:00:02.000Z"));
  CHECK(table->contains("1 connection in a row failed\n"));
}

TEST_CASE("status table: an upstream in a panic is marked") {
  const auto table = status_table(upstreams_json({{"api", "maglev", {}, true}}));
  REQUIRE(table);
  CHECK(table->contains("maglev (panic)"));
}

TEST_CASE("status table: another text is refused, with the reason") {
  CHECK_FALSE(status_table("<html>"));
  CHECK_FALSE(status_table("{\"upstreams\":[{}]}"));
  CHECK_FALSE(status_table("[]"));
}
