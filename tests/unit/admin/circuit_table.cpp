#include "admin/circuit_table.h"

#include <doctest/doctest.h>

using namespace weir::admin;

TEST_CASE("circuit table: a row for each circuit of what /circuit_breakers says") {
  const auto table = circuit_table(R"({"circuit_breakers": [
    {"name": "api", "state": "open", "forced": false, "since": "2026-11-22T10:00:00Z", "cause": "12 of 20 attempts failed in 10s",
     "window_ms": 10000, "attempts": 20, "failed": 12, "slow": 0, "probes": 0, "rejected": 700, "refuses_for_ms": 1},
    {"name": "api/127.0.0.1:9001", "state": "closed", "forced": true, "since": null, "cause": "", "window_ms": 500, "attempts": 0, "failed": 0,
     "slow": 0, "probes": 0, "rejected": 0, "refuses_for_ms": 0}]})");
  REQUIRE(table);
  CHECK(*table ==
        "CIRCUIT             STATE            WINDOW  ATTEMPTS  FAILED  REJECTED  SINCE                 CAUSE\n"
        "api                 open               10 s        20      12       700  2026-11-22T10:00:00Z  12 of 20 "
        "attempts "
        "failed in 10s\n"
        "api/127.0.0.1:9001  closed (forced)   0.5 s         0       0         0  start\n"
        "FAILED counts the last WINDOW, by the circuit's statuses; FAILURES of an endpoint counts since the start.\n");
}

TEST_CASE("circuit table: without circuits there is none, and another text is refused") {
  CHECK(circuit_table(R"({"circuit_breakers": []})") == "");
  CHECK_FALSE(circuit_table("<html>"));
  CHECK_FALSE(circuit_table(R"({"circuit_breakers": [{}]})"));
}
