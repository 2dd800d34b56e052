#include "http/hop_by_hop.h"

#include <doctest/doctest.h>

#include <string>

namespace weir::http {

namespace {

struct Bench {
  Bench(std::initializer_list<Header> fields) {
    for (const Header& field : fields) headers.add(field.name, field.value);
    found = remove_hop_by_hop(headers);
    for (const Header& header : headers) left += std::string(header.name) + " ";
  }

  BlockPool pool{16 * 1024};
  Arena arena{pool};
  Headers headers{arena};
  HopByHop found;
  std::string left;
};

}  // namespace

TEST_CASE("hop_by_hop: the connection's own fields go, the others stay") {
  Bench bench{
      {"Host", "a"},        {"Connection", "keep-alive"}, {"Keep-Alive", "5"},          {"Proxy-Connection", "x"},
      {"TE", "gzip"},       {"Transfer-Encoding", "x"},   {"Upgrade", "h2c"},           {"Proxy-Authenticate", "x"},
      {"Trailer", "X-Sum"}, {"HTTP2-Settings", "x"},      {"Proxy-Authorization", "x"}, {"Accept", "b"}};
  CHECK(bench.left == "Host Trailer Accept ");
  CHECK_FALSE(bench.found.trailers);
  CHECK(bench.found.upgrade == "");
}

TEST_CASE("hop_by_hop: every field that a Connection line names goes") {
  Bench bench{{"X-A", "1"}, {"Connection", "x-a, X-B"},   {"x-b", "2"},
              {"X-C", "3"}, {"connection", "close,,x-c"}, {"X-D", "4"},
              {"x-A", "5"}};
  CHECK(bench.left == "X-D ");
}

TEST_CASE("hop_by_hop: what one Connection line names goes, whatever another line says") {
  CHECK(Bench{{"Connection", "x-secret"}, {"Connection", "close"}, {"X-Secret", "1"}, {"X-A", "2"}}.left == "X-A ");
  CHECK(Bench{{"Connection", "close"}, {"X-Secret", "1"}, {"connection", "x-secret"}}.left == "");
  CHECK(Bench{{"Connection", "keep-alive"}, {"Connection", "x-secret"}, {"Connection", "close"}, {"X-Secret", "1"}}
            .left == "");
  CHECK(Bench{{"Connection", "x-a"}, {"Connection", "upgrade"}, {"Upgrade", "websocket"}}.found.upgrade == "websocket");
}

TEST_CASE("hop_by_hop: every option that framing lets through is honoured") {
  std::string options = "x-0";
  for (int i = 1; i < 63; ++i) options += ",x-" + std::to_string(i);
  CHECK(Bench{{"Connection", options}, {"Connection", "x-last"}, {"X-62", "1"}, {"X-Last", "1"}}.left == "");
}

TEST_CASE("hop_by_hop: Connection can't take away what others rely on") {
  for (const char* name :
       {"Host", "Content-Length", "Authorization", "Cookie", "Forwarded", "X-Forwarded-For", "X-Forwarded-Proto",
        "X-Forwarded-Anything", "X-Real-IP", "X-Request-Id", "traceparent", "tracestate", "Via", "CDN-Loop",
        "Set-Cookie", "Cache-Control", "Content-Type", "Max-Forwards"}) {
    CAPTURE(name);
    Bench bench{{"Connection", name}, {name, "1"}};
    CHECK(bench.left == std::string(name) + " ");
  }
}

TEST_CASE("hop_by_hop: trailers are taken by who says so in TE") {
  CHECK(Bench{{"TE", "trailers"}, {"Connection", "te"}}.found.trailers);
  CHECK(Bench{{"TE", "deflate;q=0.5, Trailers"}}.found.trailers);
  CHECK_FALSE(Bench{{"TE", "trailersx"}}.found.trailers);
}

TEST_CASE("hop_by_hop: an upgrade is asked for only when Connection lists it") {
  CHECK(Bench{{"Upgrade", "websocket"}, {"Connection", "keep-alive, Upgrade"}}.found.upgrade == "websocket");
  CHECK(Bench{{"Upgrade", "websocket"}}.found.upgrade == "");
  CHECK(Bench{{"Connection", "upgrade"}}.found.upgrade == "");
}

}  // namespace weir::http
