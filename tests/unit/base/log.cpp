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

TEST_CASE("log: a long value is truncated, and says by how much") {
  const auto line = log::line("failed", {{"why", std::string(10'000, 'x')}, {"then", 1}});
  CHECK(line.size() < 5000);
  CHECK(line.ends_with("xx...[+5930] then=1"));
}

TEST_CASE("log: many long values neither grow the line without bound nor remove its end") {
  const std::string x(10'000, '\x01');
  const auto line =
      log::line("failed", {{"a", x}, {"b", x}, {"c", x}, {"d", x}, {"e", x}, {"f", x}, {"g", x}, {"h", x}, {"i", 1}});
  CHECK(line.size() < 32 * 1024);
  CHECK(line.ends_with(" i=1"));
}

TEST_CASE("log: JSON has numbers as numbers and escapes what comes from outside") {
  CHECK(log::json_line("NOW", log::Level::warn, "failed", {{"why", "a \"b\"\n\xff"}, {"count", 3}, {"ok", true}}) ==
        R"({"ts":"NOW","level":"warn","event":"failed","why":"a \"b\"\u000a\ufffd","count":3,"ok":true})");
}

TEST_CASE("log: the level can be changed") {
  log::set_level(log::Level::error);
  CHECK(log::level() == log::Level::error);
  CHECK_FALSE(log::is_debug());
  log::set_level(log::Level::debug);
  CHECK(log::is_debug());
  log::set_level(log::Level::info);
  CHECK(log::level() == log::Level::info);
}
