#include "admin/reload_text.h"

#include <doctest/doctest.h>

using namespace weir::admin;

TEST_CASE("reload text: the problems as they were told, else what came of it") {
  CHECK(reload_text(R"({"ok":true})") == "reloaded\n");
  CHECK(reload_text(R"({"ok":false,"text":"weir.yaml:1:1: a\n  1 | b\n"})") == "weir.yaml:1:1: a\n  1 | b\n");
  CHECK(reload_text(R"({"ok":false})") == "the reload failed\n");
}

TEST_CASE("reload text: another answer is an error, not a crash") {
  CHECK_FALSE(reload_text("not found"));
  CHECK_FALSE(reload_text("[]"));
  CHECK_FALSE(reload_text(R"({"title":"Overloaded"})"));
}
