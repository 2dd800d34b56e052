#include <doctest/doctest.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "unit/config/bench.h"

using namespace weir;
using namespace weir::config;

namespace {

std::string first_message(const std::string& text) {
  const ReadProxy proxy(text);
  return proxy.read.problems.empty() ? "" : proxy.only().message;
}

}  // namespace

TEST_CASE("yaml: a duplicate key is refused, with the first one's line") {
  const ReadProxy proxy("routes:\n  - respond: a\n    respond: b\n");
  CHECK(proxy.only().message == "given twice");
  CHECK(proxy.only().hint == "the first one is on line 2");
  CHECK(proxy.only().at.line == 3);
  CHECK(proxy.only().at.path == "routes[0].respond");
}

TEST_CASE("yaml: a merge key brings another block's settings, and those written win") {
  const ReadProxy proxy(R"(
upstreams:
  a: &a
    endpoints: [x]
    health_check: { path: /a }
  b:
    <<: *a
    endpoints: [y]
)");
  CHECK(proxy.text() == "");
  const auto& b = proxy.read.value.upstreams[1].value;
  CHECK(*b.endpoints[0].address == "y");
  CHECK(b.health_check->path == "/a");
}

TEST_CASE("yaml: of several merged blocks the earlier wins") {
  const ReadProxy proxy(R"(
routes:
  - &one { name: one, respond: a }
  - &two { name: two, methods: [GET], respond: b }
  - <<: [*one, *two]
)");
  CHECK(proxy.text() == "");
  CHECK(proxy.read.value.routes[2].name == "one");
  CHECK(proxy.read.value.routes[2].methods.size() == 1);
}

TEST_CASE("yaml: only blocks can be merged") {
  CHECK(first_message("routes:\n  - <<: 5\n    respond: x\n") == "only blocks can be merged");
}

TEST_CASE("yaml: an anchor before a value doesn't hide its place") {
  const ReadProxy proxy("head_limit: &x big\n");
  CHECK(proxy.only().at.column == 16);
  CHECK(proxy.only().at.length == 3);
}

TEST_CASE("yaml: a syntax error is told alone, at its place") {
  const ReadProxy proxy("workers: 0\nworkers: 1\nroutes: [ {\n");
  CHECK(proxy.read.problems.size() == 1);
  CHECK(proxy.only().message.starts_with("not YAML: "));
  CHECK(proxy.only().at.line > 0);
}

TEST_CASE("yaml: a second document is refused") {
  CHECK(first_message("workers: 1\n---\nworkers: 2\n") == "a second document begins here; a configuration is one");
}

TEST_CASE("yaml: nesting is bounded") {
  const auto nested = [](size_t depth) { return "routes: " + std::string(depth, '[') + std::string(depth, ']'); };
  CHECK(first_message(nested(65)) == "nested more than 64 deep");
  CHECK(first_message(nested(100000)) == "nested more than 64 deep");
}

TEST_CASE("yaml: an alias bomb is refused, not unfolded") {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const auto alias = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int k = 0; k < 10; ++k) bomb += (k ? ", " : "") + alias;
    bomb += "]\n";
  }
  CHECK(first_message(bomb) == "the configuration has too many parts, with its aliases put in");
}

TEST_CASE("yaml: an alias inside its own anchor is refused") {
  CHECK(first_message("routes: &r [ *r ]\n") == "an alias stands inside its own anchor");
}

TEST_CASE("yaml: a file of more than 4MiB is refused") {
  CHECK(first_message(std::string((4 << 20) + 1, ' ')) == "larger than 4MiB");
}

TEST_CASE("yaml: bytes that aren't UTF-8, and control characters, are refused at their place") {
  for (const std::string bad : {"\xff", "\xc0\x80", "\xed\xa0\x80", "\x04", "\xf4\x90\x80\x80"}) {
    const ReadProxy proxy("workers: 1\npassword: é" + bad + "\n");
    CHECK(proxy.only().at.line == 2);
    CHECK(proxy.only().at.column == 13);
    CHECK(proxy.text().starts_with("weir.yaml:2:12: "));
  }
}

TEST_CASE("yaml: a byte order mark and CRLF are no obstacle") {
  const ReadProxy proxy("\xef\xbb\xbfworkers: 1\r\nhead_limit: x\r\n");
  CHECK(proxy.text() ==
        "weir.yaml:2:13: head_limit: 'x' is not a size\n  2 | head_limit: x\n    |             ^\n"
        "    = write a number and a unit: 512B, 64KiB, 10MiB, 1GiB\nweir.yaml: 1 problem\n");
}

TEST_CASE("yaml: a name that is no word is refused") {
  CHECK(first_message("? [a, b]\n: c\n") == "a setting's name must be a word");
}

TEST_CASE("yaml: a file that can't be read is a problem") {
  Problems problems;
  CHECK(load_file("/nonexistent/weir.yaml", problems).root() == nullptr);
  CHECK(problems.text() ==
        "/nonexistent/weir.yaml: cannot be read: No such file or directory\n"
        "/nonexistent/weir.yaml: 1 problem\n");
  Problems directory;
  CHECK(load_file("/", directory).root() == nullptr);
  CHECK(directory.all().at(0).message == "cannot be read: Is a directory");
}

TEST_CASE("yaml: a file is read") {
  const auto path = std::filesystem::temp_directory_path() / ("weir-config-" + std::to_string(getpid()) + ".yaml");
  std::ofstream(path) << "workers: 7\n";
  Problems problems;
  const auto document = load_file(path.string(), problems);
  CHECK(decode_document<Proxy>(document, problems).workers == 7u);
  std::filesystem::remove(path);
}
