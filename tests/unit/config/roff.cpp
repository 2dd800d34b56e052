#include "config/roff.h"

#include <doctest/doctest.h>

using namespace weir;

TEST_CASE("roff: what man(7) would take for its own is printed as written") {
  CHECK(config::roff("a-b") == "a\\-b");
  CHECK(config::roff("C:\\d") == "C:\\ed");
  CHECK(config::roff(".TP of 1.5") == "\\&.TP of 1.5");
  CHECK(config::roff("'quoted'") == "\\&'quoted'");
  CHECK(config::roff("one\n.two") == "one\n\\&.two");
}

TEST_CASE("roff: words in backquotes are bold") {
  CHECK(config::roff("set `a-b` or `c`") == "set \\fBa\\-b\\fR or \\fBc\\fR");
  CHECK(config::roff("an open `one") == "an open \\fBone\\fR");
}

TEST_CASE("roff: the first line has the page's name in capitals") {
  CHECK(config::roff_title("weir.yaml", 5, "1.2.3", "File Formats") ==
        ".TH WEIR.YAML 5 \"\" \"weir 1.2.3\" \"File Formats\"\n");
}
