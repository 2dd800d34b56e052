#include "http/decoded_path.h"

#include <doctest/doctest.h>

#include <string>

#include "http/target.h"

namespace weir::http {

namespace {

struct Bench {
  BlockPool pool{16 * 1024};
  Arena arena{pool};
  std::string decoded(std::string_view path) {
    const auto result = decode_path(path, arena);
    return result ? std::string(result->text) : "refused";
  }
  bool has_hidden_dots(std::string_view path) { return decode_path(path, arena)->has_hidden_dots; }
  std::string behind(std::string_view prefix, std::string_view path) {
    const auto size = size_of_prefix(path, prefix, arena);
    return size ? std::string(path.substr(*size)) : "elsewhere";
  }
  /// "what is sent, what routes match"; nothing after the comma: the same.
  std::string forms(std::string_view path, PathPolicy policy = {}) {
    RequestHead head(arena);
    head.path = path;
    const auto result = normalize_path(head, policy);
    return result ? std::string(head.path) + "," + std::string(head.decoded_path) : "refused";
  }
};

}  // namespace

TEST_CASE("decoded path: a path without escapes, backslashes and runs of slashes is returned as it is") {
  Bench bench;
  for (const std::string_view path : {"/", "/a/b.c", "*", "", "/a,v=1/~b"}) {
    CHECK(decode_path(path, bench.arena)->text.data() == path.data());
  }
  CHECK(bench.arena.footprint() == 0);
}

TEST_CASE("decoded path: escaped slashes and backslashes are slashes") {
  Bench bench;
  CHECK(bench.decoded("/%2Fadmin") == "/admin");
  CHECK(bench.decoded("/a%2Fb") == "/a/b");
  CHECK(bench.decoded("/a%5Cb") == "/a/b");
  CHECK(bench.decoded("/a\\b") == "/a/b");
  CHECK(bench.decoded("/admin%2F") == "/admin/");
}

TEST_CASE("decoded path: slashes are merged") {
  Bench bench;
  CHECK(bench.decoded("//admin") == "/admin");
  CHECK(bench.decoded("/a/%2F/b//") == "/a/b/");
}

TEST_CASE("decoded path: dot segments are resolved after the slashes are decoded and merged") {
  Bench bench;
  CHECK(bench.decoded("/a/..%2Fadmin") == "/admin");
  CHECK(bench.decoded("/a%2F..%2Fadmin") == "/admin");
  CHECK(bench.decoded("/a%2F.%2Fb") == "/a/b");
  CHECK(bench.decoded("/a/b%2F..") == "/a/");
  CHECK(bench.decoded("/a%5C..%5Cadmin") == "/admin");
  CHECK(bench.decoded("/a/%2F..%2Fb") == "/b");
  CHECK(bench.decoded("/..%2Fadmin") == "refused");
  CHECK(bench.decoded("/a%2F..%2F..%2Fb") == "refused");
}

TEST_CASE("decoded path: parameters of segments are cut, and what is left may be a dot segment") {
  Bench bench;
  CHECK(bench.decoded("/admin;x") == "/admin");
  CHECK(bench.decoded("/admin;x/y;z=1,2;w/") == "/admin/y/");
  CHECK(bench.decoded("/admin%3Bx/y") == "/admin/y");
  CHECK(bench.decoded("/a/..;/admin") == "/admin");
  CHECK(bench.decoded("/a%2F..;x%2Fadmin") == "/admin");
  CHECK(bench.decoded("/.;x=1/admin") == "/admin");
  CHECK(bench.decoded("/;x/admin") == "/admin");
  CHECK(bench.decoded("/;/;x//admin") == "/admin");
  CHECK(bench.decoded("/a;x\\y") == "/a/y");
  CHECK(bench.decoded("/;") == "/");
  CHECK(bench.decoded("/..;x/admin") == "refused");
  CHECK(bench.has_hidden_dots("/a/..;/b"));
  CHECK_FALSE(bench.has_hidden_dots("/a;../b"));
  CHECK(bench.behind("/app", "/app;v=1/a;b") == "/a;b");
  CHECK(bench.behind("/app", "/app/..;/x") == "elsewhere");
}

TEST_CASE("decoded path: printable characters are decoded, once; what would make another path stays escaped") {
  Bench bench;
  CHECK(bench.decoded("/%40%21%2C%5B") == "/@!,[");
  CHECK(bench.decoded("/%252F%3F%23%20%C3%A9%7F") == "/%252F%3F%23%20%C3%A9%7F");
}

TEST_CASE("decoded path: dot segments that only it has are told") {
  Bench bench;
  CHECK(bench.has_hidden_dots("/a%2F..%2Fb"));
  CHECK(bench.has_hidden_dots("/a%2F."));
  CHECK_FALSE(bench.has_hidden_dots("/a%2Fb//..c"));
}

TEST_CASE("decoded path: for some servers parameters go on behind an escaped slash") {
  Bench bench;
  const auto longer = [&](std::string_view path) {
    return std::string(decode_with_long_parameters(path, bench.arena).value_or("alike"));
  };
  for (const std::string_view path : {"/a/b", "/a%2Fb", "/a;v=1/b", "/a;v%3B=1/b", "/a%2Fb;v", "/a%3B%2Fb", "/;%2F"}) {
    CAPTURE(path);
    CHECK(longer(path) == "alike");
  }
  CHECK(longer("/a;%2Fb") == "/a");
  CHECK(longer("/a;v=%5Cb/c") == "/a/c");
  CHECK(longer("/a;v\\b") == "/a");
  CHECK(longer("/a%2Fb;%2Fc/%2Fd") == "/a/b/d");
  CHECK(longer("/a%2F..%2F..;%2Fb") == "");
}

TEST_CASE("decoded path: the part that stands for a prefix is the longest, so that nothing leads out again") {
  Bench bench;
  CHECK(bench.behind("/app", "//app/a%2Fb") == "/a%2Fb");
  CHECK(bench.behind("/app", "/app%2Fx") == "%2Fx");
  CHECK(bench.behind("/app", "/x%2F../app/y") == "/y");
  CHECK(bench.behind("/app", "/app/a%2F..%2F..%2Fapp/b") == "/b");
  CHECK(bench.behind("/app", "/app/a%2F../b") == "/a%2F../b");
  CHECK(bench.behind("/a/b", "/a%2Fb") == "");
  CHECK(bench.behind("", "/a%2Fb") == "/a%2Fb");
  CHECK(bench.behind("/app", "/app/..%2Fx") == "elsewhere");
  CHECK(bench.behind("/app", "/apple%2Fx") == "elsewhere");
}

TEST_CASE("target: a request has the form that is sent and the form that routes match") {
  Bench bench;
  CHECK(bench.forms("/a/b") == "/a/b,");
  CHECK(bench.forms("*") == "*,");
  CHECK(bench.forms("//admin") == "/admin,");
  CHECK(bench.forms("///x//admin") == "/x//admin,/x/admin");
  CHECK(bench.forms("//") == "/,");
  CHECK(bench.forms("/a;v=1/b") == "/a;v=1/b,/a/b");
  CHECK(bench.forms("/%2fadmin") == "/%2Fadmin,/admin");
  CHECK(bench.forms("/a/..%2fadmin") == "/a/..%2Fadmin,/admin");
  CHECK(bench.forms("/%61%c3%a9") == "/a%C3%A9,");
  CHECK(bench.forms("/..%2fadmin") == "refused");
  CHECK(bench.forms("/%5cadmin") == "refused");
  CHECK(bench.forms("/%5cadmin", {.encoded_backslash = PathPolicy::Encoded::keep}) == "/%5Cadmin,/admin");
  CHECK(bench.forms("/\\/\\admin", {.encoded_backslash = PathPolicy::Encoded::keep}) == "/admin,");
}

TEST_CASE("target: by the policy, routes match what is sent") {
  Bench bench;
  const PathPolicy sent{.match = PathPolicy::Match::sent};
  CHECK(bench.forms("//admin", sent) == "/admin,");
  CHECK(bench.forms("/..%2fadmin", sent) == "/..%2Fadmin,");
}

TEST_CASE("target: whatever the bytes, what the two forms say is what a server sees that decodes all at once") {
  Bench bench;
  const std::string_view pieces[] = {"/", "a", "..", ".", "%2F", "%5C", "%2e", "//", ";", "%20"};
  for (unsigned code = 0; code < 100'000; ++code) {
    std::string path = "/";
    for (unsigned rest = code; rest > 0; rest /= 10) path += pieces[rest % 10];
    BlockPool pool(4096);
    Arena arena(pool);
    RequestHead head(arena);
    head.path = path;
    if (!normalize_path(head, {.encoded_backslash = PathPolicy::Encoded::keep})) continue;
    const auto matched = head.matched_path();
    const bool is_final = matched.starts_with('/') && !matched.contains("//") && !matched.contains("/../") &&
                          !matched.contains("/./") && !matched.ends_with("/..") && !matched.ends_with("/.") &&
                          !matched.contains("%2F") && !matched.contains("%5C") && !matched.contains(';');
    CAPTURE(path);
    REQUIRE(is_final);
    REQUIRE(decode_path(head.path, arena)->text == matched);
  }
}

}  // namespace weir::http
