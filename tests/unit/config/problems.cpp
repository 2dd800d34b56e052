#include "config/problems.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "unit/config/bench.h"

using namespace weir::config;

TEST_CASE("problems: all of a file's are told at once, with line, caret, hint and the nearest word") {
  const ReadProxy proxy(
      "routes:\n"
      "  - name: api\n"
      "    respond: ok\n"
      "    filters:\n"
      "      - rate_limit:\n"
      "          rate: 100/sec\n"
      "          burts: 20\n");
  CHECK(proxy.read.problems.text("nothing was changed") ==
        "weir.yaml:6:17: routes[0].filters[0].rate_limit.rate: '100/sec' is not a rate\n"
        "  6 |           rate: 100/sec\n"
        "    |                 ^^^^^^^\n"
        "    = write a count and a unit: 100/second, 100/minute, 100/hour\n"
        "weir.yaml:7:11: routes[0].filters[0].rate_limit: unknown setting 'burts'\n"
        "  7 |           burts: 20\n"
        "    |           ^^^^^\n"
        "    = did you mean 'burst'? rate_limit takes: rate, burst, key, on_store_failure\n"
        "weir.yaml: 2 problems; nothing was changed\n");
}

TEST_CASE("problems: they come in the order of the file, whoever found them first") {
  Problems problems;
  const auto file = problems.add_source("a.yaml", "one\ntwo\n");
  problems.add({file, 2, 1, 3, "b"}, "later");
  problems.add({file, 1, 1, 3, "a"}, "sooner");
  CHECK(problems.text() ==
        "a.yaml:1:1: a: sooner\n  1 | one\n    | ^^^\na.yaml:2:1: b: later\n  2 | two\n    | ^^^\n"
        "a.yaml: 2 problems\n");
}

TEST_CASE("problems: the margin grows with the line's number") {
  Problems problems;
  const auto file = problems.add_source("a.yaml", std::string(11, '\n') + "x: 1");
  problems.add({file, 12, 4, 1, ""}, "bad", "do");
  CHECK(problems.text() == "a.yaml:12:4: bad\n  12 | x: 1\n     |    ^\n     = do\na.yaml: 1 problem\n");
}

TEST_CASE("problems: characters of several bytes and of double width don't misplace the caret") {
  Problems problems;
  const auto file = problems.add_source("a.yaml", "é漢: bad\r\n");
  problems.add({file, 1, 8, 3, ""}, "no");
  CHECK(problems.text() == "a.yaml:1:5: no\n  1 | é漢: bad\n    |      ^^^\na.yaml: 1 problem\n");
}

TEST_CASE("problems: a tab before the place stays a tab above the caret") {
  Problems problems;
  const auto file = problems.add_source("a.yaml", "a:\tbad");
  problems.add({file, 1, 4, 3, ""}, "no");
  CHECK(problems.text().find("\n    |   \t^^^\n") != std::string::npos);
}

TEST_CASE("problems: of a very long line only the surroundings are shown") {
  Problems problems;
  const auto file = problems.add_source("a.yaml", std::string(100000, 'x') + "!" + std::string(100000, 'x'));
  problems.add({file, 1, 100001, 1, ""}, "no");
  CHECK(problems.text().size() < 600);
  CHECK(problems.text().find(std::string(80, ' ') + "^") != std::string::npos);
}

TEST_CASE("problems: one without a place names its file alone") {
  Problems problems;
  const auto file = problems.add_source("a.yaml", "");
  problems.add({file, 0, 0, 1, "listeners[0].bind"}, "port in use");
  CHECK(problems.text() == "a.yaml: listeners[0].bind: port in use\na.yaml: 1 problem\n");
}

TEST_CASE("problems: a flood is cut short, and its number told") {
  Problems problems;
  const auto file = problems.add_source("a.yaml", "x");
  for (int i = 0; i < 5000; ++i) problems.add({file, 1, 1, 1, ""}, "no");
  CHECK(problems.text().ends_with("and 4900 more\na.yaml: 5000 problems\n"));
}

TEST_CASE("problems: a warning is shown with its line, and is no problem") {
  Problems problems;
  const auto file = problems.add_source("a.yaml", "one: 1\ntwo: 2\n");
  problems.warn({file, 2, 6, 1, "two"}, "'2' is much", "write 1");
  CHECK(problems.empty());
  CHECK(problems.text().empty());
  CHECK(problems.warnings_text() ==
        "a.yaml:2:6: warning: two: '2' is much\n  2 | two: 2\n    |      ^\n    = write 1\n");
  CHECK(nlohmann::json::parse(problems.json())[0]["severity"] == "warning");
}

TEST_CASE("problems: for programs they are JSON, columns counted in characters") {
  Problems problems;
  const auto file = problems.add_source("a.yaml", "é: \"b\"");
  problems.add({file, 1, 5, 3, "é"}, "not \"c\"", "write c");
  const auto json = nlohmann::json::parse(problems.json());
  CHECK(json == nlohmann::json::parse(R"([{"severity":"error","file":"a.yaml","line":1,"column":4,"length":3,"path":"é",
                                           "message":"not \"c\"","hint":"write c"}])"));
}
