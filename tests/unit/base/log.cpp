#include "base/log.h"

#include <doctest/doctest.h>

using namespace weir;

TEST_CASE("log: a line is an event and its fields") {
  CHECK(log::line("reload_finished", {{"file", "weir.yaml"}, {"routes", 3}, {"ok", true}}) ==
        "reload_finished file=weir.yaml routes=3 ok=true");
}

TEST_CASE("log: a value with spaces, quotes or line ends stays one value on one line") {
  CHECK(log::line("failed", {{"why", "no \"such\"\nfile\x01"}, {"empty", ""}}) ==
        "failed why=\"no \\\"such\\\"\\nfile\\x01\" empty=\"\"");
}

TEST_CASE("log: the level can be changed") {
  log::set_level(log::Level::error);
  CHECK(log::level() == log::Level::error);
  log::set_level(log::Level::info);
  CHECK(log::level() == log::Level::info);
}
