#include "plugins/cache/rules/storing.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "unit/growth.h"
#include "unit/plugins/cache_fields.h"

using namespace weir;
using namespace weir::plugins;

namespace {

struct Bench {
  Fields memory{};
  http::RequestHead request{memory.arena};
  http::ResponseHead response{memory.arena};

  Bench() { response.status = 200; }
  explicit Bench(std::string_view cache_control) : Bench() { response.headers.add("Cache-Control", cache_control); }

  std::string_view why_not() const {
    return why_not_stored(request, response, response_directives(response.headers, {}));
  }
};

std::string_view why_not(uint16_t status, std::string_view cache_control = "max-age=60") {
  Bench bench(cache_control);
  bench.response.status = status;
  return bench.why_not();
}

std::string_view why_not_authorized(std::string_view cache_control) {
  Bench bench(cache_control);
  bench.request.headers.add("Authorization", "Basic x");
  return bench.why_not();
}

std::string_view why_not_varying(Fields::Lines lines) {
  Bench bench("max-age=60");
  for (const auto& [name, value] : lines) bench.response.headers.add(name, value);
  return bench.why_not();
}

std::string stripped(Fields::Lines lines) {
  Fields fields(lines);
  strip_for_storage(fields, response_directives(fields, {}));
  return fields.text();
}

bool is_updated(std::string_view name) { return is_updated_by_304({name, "x", http::field_of(name)}); }

}  // namespace

TEST_CASE("cache storing: a final response to GET that nothing forbids may be kept (RFC 9111 section 3)") {
  CHECK(Bench("max-age=60").why_not() == "");
  CHECK(Bench().why_not() == "");
  CHECK(Bench("no-cache").why_not() == "");
  for (const int status : {200, 203, 204, 299, 301, 302, 307, 404, 410, 500, 503, 599}) {
    CHECK(why_not(static_cast<uint16_t>(status)) == "");
  }
}

TEST_CASE("cache storing: answers to other methods aren't kept (RFC 9111 section 3)") {
  Bench bench("max-age=60");
  for (const auto method : {http::Method::post, http::Method::put, http::Method::options, http::Method::other}) {
    bench.request.method = method;
    CHECK(bench.why_not() == "method");
  }
  bench.request.method = http::Method::head;  // the origin was asked for all of it
  CHECK(bench.why_not() == "");
}

TEST_CASE("cache storing: interim responses, 304 and 206 aren't kept (RFC 9111 sections 3 and 3.3)") {
  CHECK(why_not(100) == "status");
  CHECK(why_not(103) == "status");
  CHECK(why_not(304) == "status");
  CHECK(why_not(206) == "partial");
}

TEST_CASE("cache storing: no cache keeps 428, 429, 431 and 511 (RFC 6585 sections 3 to 6)") {
  for (const int status : {428, 429, 431, 511}) CHECK(why_not(static_cast<uint16_t>(status)) == "status");
}

TEST_CASE(
    "cache storing: no-store is obeyed, and private where it names no fields (RFC 9111 sections 5.2.2.5, 5.2.2.7)") {
  CHECK(why_not(200, "max-age=60, no-store") == "no-store");
  CHECK(why_not(200, "max-age=60, private") == "private");
  CHECK(why_not(200, "max-age=60, private=\"set-cookie\"") == "");
}

TEST_CASE("cache storing: must-understand sets aside no-store for statuses that are known (RFC 9111 section 5.2.2.3)") {
  CHECK(why_not(200, "max-age=60, must-understand, no-store") == "");
  CHECK(why_not(404, "max-age=60, must-understand, no-store") == "");
  CHECK(why_not(299, "max-age=60, must-understand, no-store") == "status");
  CHECK(why_not(299, "max-age=60, must-understand") == "status");
  CHECK(why_not(200, "max-age=60, must-understand, no-store, private") == "private");
}

TEST_CASE("cache storing: answers to requests with Authorization need leave (RFC 9111 section 3.5)") {
  CHECK(why_not_authorized("max-age=60") == "authorization");
  CHECK(why_not_authorized("max-age=60, proxy-revalidate") == "authorization");
  CHECK(why_not_authorized("max-age=60, public") == "");
  CHECK(why_not_authorized("max-age=60, must-revalidate") == "");
  CHECK(why_not_authorized("s-maxage=60") == "");
}

TEST_CASE("cache storing: what varies by everything is of no use (RFC 9111 section 4.1)") {
  CHECK(why_not_varying({{"Vary", "*"}}) == "vary");
  CHECK(why_not_varying({{"Vary", "accept, *"}}) == "vary");
  CHECK(why_not_varying({{"Vary", "accept"}, {"Vary", "*"}}) == "vary");
  CHECK(why_not_varying({{"Vary", "accept"}, {"Vary", ""}}) == "");
}

TEST_CASE("cache storing: fields of one connection and of proxies aren't kept (RFC 9111 section 3.1)") {
  CHECK(stripped({{"Connection", "x-hop"},
                  {"X-Hop", "1"},
                  {"Keep-Alive", "timeout=5"},
                  {"Proxy-Connection", "close"},
                  {"Proxy-Authenticate", "Basic"},
                  {"Proxy-Authentication-Info", "x"},
                  {"TE", "trailers"},
                  {"Trailer", "x"},
                  {"Transfer-Encoding", "chunked"},
                  {"Upgrade", "h2c"},
                  {"Age", "5"},
                  {"Content-Type", "text/plain"},
                  {"ETag", "\"a\""}}) == "Content-Type: text/plain\nETag: \"a\"\n");
}

TEST_CASE("cache storing: fields that private names aren't kept (RFC 9111 section 5.2.2.7)") {
  CHECK(stripped(
            {{"Cache-Control", "private=\"x-user, Set-Cookie\""}, {"X-User", "1"}, {"set-cookie", "a"}, {"X", "2"}}) ==
        "Cache-Control: private=\"x-user, Set-Cookie\"\nX: 2\n");
}

TEST_CASE("cache storing: a 304 renews what doesn't describe the content (RFC 9111 section 3.2)") {
  for (const char* name : {"Cache-Control", "Date", "Expires", "Last-Modified", "X-Own", "Set-Cookie", "Vary"}) {
    CAPTURE(name);
    CHECK(is_updated(name));
  }
  for (const char* name : {"Content-Length", "content-encoding", "Content-Type", "Content-Range", "ETag", "Age",
                           "Connection", "Keep-Alive", "Transfer-Encoding", "Upgrade", "Trailer", "TE",
                           "Proxy-Authenticate", "Proxy-Authentication-Info"}) {
    CAPTURE(name);
    CHECK_FALSE(is_updated(name));
  }
}

TEST_CASE("cache storing: a long list in private=\"...\" is read once, however many fields there are") {
  CHECK(growth(200, [](size_t size) {
          std::string list = "x-secret";
          for (size_t i = 0; i < size * 10; ++i) list += ",n" + std::to_string(i % 10);
          Bench bench;
          bench.response.headers.add("X-Secret", "1");
          std::vector<std::string> names;
          names.reserve(size);
          for (size_t i = 0; i < size; ++i) names.push_back("h" + std::to_string(i));
          for (const auto& name : names) bench.response.headers.add(name, "v");
          strip_for_storage(bench.response.headers, {.private_fields = list});
          CHECK(bench.response.headers.size() == size);
        }) < kNearLinear);
}
