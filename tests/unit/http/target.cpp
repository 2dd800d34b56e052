#include "http/target.h"

#include <doctest/doctest.h>

#include <string>

namespace weir::http {

namespace {

std::string normalized(std::string_view path, PathPolicy policy = {}) {
  BlockPool pool(16 * 1024);
  Arena arena(pool);
  const auto result = normalize_path(path, policy, arena);
  return result ? std::string(*result) : "refused";
}

}  // namespace

TEST_CASE("target: a path in normal form is returned as it is") {
  BlockPool pool(16 * 1024);
  Arena arena(pool);
  for (const std::string_view path : {"/", "/a/b.c", "//a", "*", "", "/a..b/c./~d"}) {
    CHECK(normalize_path(path, {}, arena)->data() == path.data());
  }
  CHECK(arena.footprint() == 0);
}

TEST_CASE("target: unreserved characters are decoded and other escapes written in upper case") {
  CHECK(normalized("/%61%7e%2D%5f") == "/a~-_");
  CHECK(normalized("/a%3ab%c3%a9") == "/a%3Ab%C3%A9");
  CHECK(normalized("/%252e%252e/") == "/%252e%252e/");
  CHECK(normalized("/a%20b%3F%23") == "/a%20b%3F%23");
}

TEST_CASE("target: dot segments are resolved, escaped ones too, and none leads above the root") {
  CHECK(normalized("/a/./b") == "/a/b");
  CHECK(normalized("/a/../b") == "/b");
  CHECK(normalized("/a/b/..") == "/a/");
  CHECK(normalized("/a/b/.") == "/a/b/");
  CHECK(normalized("/.") == "/");
  CHECK(normalized("/a/..") == "/");
  CHECK(normalized("/a/%2e%2E/b") == "/b");
  CHECK(normalized("/a/.%2e/b") == "/b");
  CHECK(normalized("/a//../b") == "/a/b");
  CHECK(normalized("/a/..b/...") == "/a/..b/...");
  CHECK(normalized("/.well-known/x") == "/.well-known/x");
  CHECK(normalized("/..") == "refused");
  CHECK(normalized("/a/../../b") == "refused");
  CHECK(normalized("/%2e%2e/b") == "refused");
}

TEST_CASE("target: NUL and broken escapes are refused") {
  for (const char* path : {"/%00", "/a%", "/a%2", "/a%zz", "/%-1"}) CHECK(normalized(path) == "refused");
}

TEST_CASE("target: escaped slashes and backslashes follow the policy") {
  using enum PathPolicy::Encoded;
  CHECK(normalized("/a%2fb") == "/a%2Fb");
  CHECK(normalized("/a%2fb", {.encoded_slash = reject}) == "refused");
  CHECK(normalized("/a%2fb", {.encoded_slash = decode}) == "/a/b");
  CHECK(normalized("/a%2f..%2fb", {.encoded_slash = keep}) == "/a%2F..%2Fb");
  CHECK(normalized("/a%2f..%2fb", {.encoded_slash = decode}) == "/b");
  CHECK(normalized("/..%2fb", {.encoded_slash = decode}) == "refused");
  CHECK(normalized("/a%5cb") == "refused");
  CHECK(normalized("/a\\b") == "refused");
  CHECK(normalized("/a%5cb", {.encoded_backslash = keep}) == "/a%5Cb");
  CHECK(normalized("/a\\b", {.encoded_backslash = keep}) == "/a\\b");
  CHECK(normalized("/a%5cb", {.encoded_backslash = decode}) == "/a\\b");
}

TEST_CASE("target: several slashes become one if that is wished") {
  CHECK(normalized("//a///b//", {.merge_slashes = true}) == "/a/b/");
  CHECK(normalized("/a//../b", {.merge_slashes = true}) == "/b");
  CHECK(normalized("/a/..//b", {.merge_slashes = true}) == "/b");
  CHECK(normalized("//a///b//") == "//a///b//");
}

TEST_CASE("target: an authority has a host and a port") {
  CHECK(host_of("a.example:8080") == "a.example");
  CHECK(port_of("a.example:8080") == "8080");
  CHECK(host_of("[::1]:80") == "[::1]");
  CHECK(port_of("[::1]:80") == "80");
  CHECK(port_of("[::1]") == "");
  CHECK(host_of("") == "");
}

}  // namespace weir::http
