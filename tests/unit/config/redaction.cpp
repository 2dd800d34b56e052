#include "config/redaction.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "unit/config/bench.h"

using namespace std::string_literals;

namespace weir::config {
namespace {

/// The source line of a problem at line and column, as it is quoted.
std::string quoted(const std::string& source, uint32_t line, uint32_t column, const Redaction& redaction = {}) {
  const auto line_of = [&](uint32_t number) {
    std::string_view rest = source;
    while (--number > 0) rest.remove_prefix(std::min(rest.find('\n') + 1, rest.size()));
    return rest.substr(0, rest.find('\n'));
  };
  const auto shown = redaction.line({.line = line, .column = column}, line_of);
  return shown.text + "|" + std::to_string(shown.column);
}

}  // namespace

TEST_CASE("redaction: values behind telling names are hidden in a line that may not even be YAML") {
  CHECK(quoted("password: hunter2", 1, 1) == "password: ***|0");
  CHECK(quoted("  x-api-key:   hunter2 and more", 1, 18) == "  x-api-key:   ***|15");
  CHECK(quoted("{ \"Authorization\": \"Bearer \\\" x\", rate: 5 }", 1, 35) == "{ \"Authorization\": ***, rate: 5 }|24");
  CHECK(quoted("set: { cookie: a=b,c, rate: 5x }", 1, 23) == "set: { cookie: ***, rate: 5x }|20");
  CHECK(quoted("- set-cookie: 'it''s", 1, 1) == "- set-cookie: ***|0");
  CHECK(quoted("x: 1 # token: hunter2", 1, 1) == "x: 1 # token: ***|0");
  CHECK(quoted("key: client.ip", 1, 1) == "key: client.ip|0");
  CHECK(quoted("token_file: /run/token", 1, 1) == "token_file: /run/token|0");
  CHECK(quoted("x-api-key: { a: hunter2", 1, 1) == "x-api-key: ***|0");
}

TEST_CASE("redaction: logins of URLs and defaults of variables are hidden") {
  CHECK(quoted("store: redis://u:p@ss@h:1/x", 1, 8) == "store: redis://***@h:1/x|7");
  CHECK(quoted("- 'http://:pw@a' http://b", 1, 1) == "- 'http://***@a' http://b|0");
  CHECK(quoted("a: ${A:-hunter2}${B}${C:-}", 1, 17) == "a: ${A:-***}${B}${C:-}|12");
  CHECK(quoted("a: ${A:-hunter2", 1, 1) == "a: ${A:-***|0");
}

TEST_CASE("redaction: the lines below a secret are its own") {
  const std::string source =
      "set:\n  authorization: |\n    Bearer hunter2\n\n    hunter3\n  x-key:\n  - hunter4\n  other:\n  - shown\n";
  CHECK(quoted(source, 3, 5) == "    ***|4");
  CHECK(quoted(source, 5, 5) == "    ***|4");
  CHECK(quoted(source, 7, 5) == "  - ***|4");
  CHECK(quoted(source, 9, 5) == "  - shown|4");
  CHECK(quoted(source, 8, 3) == "  other:|2");
}

TEST_CASE("redaction: a value that was found to be secret is hidden in lines and messages") {
  Redaction redaction;
  redaction.hide({.line = 1, .column = 8, .length = 7}, "hunter2");
  redaction.hide({.line = 1, .column = 19, .length = 2}, "ab");
  CHECK(quoted("redis: hunter2, x ab y", 1, 22, redaction) == "redis: ***, x *** y|18");
  CHECK(quoted("redis: |\n  hunter2", 2, 3) == "redis: |\n  hunter2"s.substr(9) + "|2");
  redaction.hide({.line = 1, .column = 1, .length = 1}, "line 2's hunter2");
  CHECK(quoted("redis: |\n  hunter2", 2, 3, redaction) == "  ***|2");
  CHECK(redaction.message("'ab' is no hunter2, about abc", {}) == "'***' is no ***, about abc");
  CHECK(redaction.message("'unter' and 'other'", {.line = 1, .column = 8}) == "'***' and 'other'");
  CHECK(redaction.message("at redis://u:p@h", {}) == "at redis://***@h");
}

TEST_CASE("problems: neither a message nor a quoted line shows a secret") {
  const ReadProxy proxy(
      "password: hunter2\nworkers: '${SECRET}'\nhead_limit: ${LIMIT:-hunter3}\nupstreams: { a: { endpoints: "
      "['${SECRET}'], b: 1 } }\n"
      "routes: [{ respond: a, respons: b, methods: [\"${SECRET}\"] }]\n",
      {{"SECRET", "s3cr3t"}});
  CHECK(proxy.read.problems.size() == 4);
  for (const auto& told : {proxy.text(), proxy.read.problems.json()}) {
    CHECK_FALSE(told.contains("s3cr3t"));
    CHECK_FALSE(told.contains("hunter"));
  }
  CHECK(proxy.text().contains("weir.yaml:3:13: head_limit: the value is not a size\n  3 | head_limit: ***\n"));
  const ReadProxy broken("password: hunter2: x\n");
  CHECK(broken.read.problems.size() == 1);
  CHECK(broken.text().contains("1 | password: ***\n"));
  broken.read.problems.for_each(
      [](const Problem& problem, std::string_view) { CHECK_FALSE(problem.message.contains("hunter")); });
}

}  // namespace weir::config
