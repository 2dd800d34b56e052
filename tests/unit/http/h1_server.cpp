#include <doctest/doctest.h>

#include "bench_check.h"

namespace weir::http {

namespace {

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr std::string_view kGet10 = "GET / HTTP/1.0\r\n\r\n";

// What a server reports of these bytes, the same in every fragmentation.
std::string report(std::string_view bytes) {
  std::string events;
  for (size_t fragment : kFragments) {
    CAPTURE(fragment);
    Bench bench(Role::server, {}, fragment);
    bench.feed(bytes);
    REQUIRE_FALSE(bench.error);
    if (events.empty()) events = bench.events.events();
    CHECK(bench.events.events() == events);
  }
  return events;
}

std::string reply(std::string_view request, uint16_t status, BodySize size, std::string_view body = {},
                  std::initializer_list<Header> fields = {}) {
  Bench bench(Role::server);
  bench.feed(request);
  ResponseHead head(bench.arena);
  head.status = status;
  for (const Header& field : fields) head.headers.add(field.name, field.value);
  bench.codec.send_response(1, head, size);
  bench.codec.send_data(1, Slice::literal(body));
  bench.codec.send_end(1, nullptr);
  return bench.sent();
}

}  // namespace

TEST_CASE("h1 server: a request's parts are reported as they came") {
  CHECK(report("GET /a/b?c=d HTTP/1.1\r\nHost: a.example:80\r\nX-Empty:\r\nx-Space: \t b c \t\r\n\r\n") ==
        "request 1 GET a.example:80 /a/b?c=d\n  Host=a.example:80\n  X-Empty=\n  x-Space=b c\nend\n");
  CHECK(report("GET /? HTTP/1.1\r\nHost: a\r\n\r\n") == "request 1 GET a /?\n  Host=a\nend\n");
  CHECK(report("M-SEARCH / HTTP/1.0\r\n\r\n") == "request 1 M-SEARCH  /\nend\n");
}

TEST_CASE("h1 server: an absolute-form target wins over Host") {
  CHECK(report("GET http://b:8080/c?d HTTP/1.1\r\nHost: a\r\n\r\n") ==
        "request 1 GET b:8080 /c?d\n  Host=b:8080\nend\n");
  CHECK(report("GET HTTPS://b HTTP/1.1\r\nHost: b\r\n\r\n") == "request 1 GET b /\n  Host=b\nend\n");
  CHECK(report("OPTIONS http://b HTTP/1.1\r\nHost: b\r\n\r\n") == "request 1 OPTIONS b *\n  Host=b\nend\n");
  CHECK(report("CONNECT b:443 HTTP/1.1\r\nHost: b\r\n\r\n") == "request 1 CONNECT b:443 \n  Host=b:443\nend\n");
}

TEST_CASE("h1 server: a body of known length is passed on and ended") {
  CHECK(report("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello") ==
        "request 1 POST a / +5\n  Host=a\n  Content-Length=5\ndata hello\nend\n");
  CHECK(report("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n") ==
        "request 1 POST a / +0\n  Host=a\n  Content-Length=0\nend\n");
  CHECK(report("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n\r\n") ==
        "request 1 GET a / +2\n  Host=a\n  Content-Length=2\ndata \r\n\nend\n");
}

TEST_CASE("h1 server: a chunked body loses its framing and keeps its trailers") {
  CHECK(report("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
               "5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 1\r\ngrpc-status: 0\r\n\r\n") ==
        "request 1 POST a / +?\n  Host=a\n  Transfer-Encoding=chunked\ndata hello world\nend\n  X-Sum=1\n  "
        "grpc-status=0\n");
}

TEST_CASE("h1 server: trailers for framing, routing, authentication or content are dropped") {
  CHECK(
      report("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nHost: evil\r\nContent-Length: 4\r\n"
             "Authorization: x\r\nCookie: y\r\nContent-Type: z\r\nX-Forwarded-For: w\r\nTE: trailers\r\nCache-Control: "
             "v\r\n\r\n") == "request 1 POST a / +?\n  Host=a\n  Transfer-Encoding=chunked\nend\n");
}

TEST_CASE("h1 server: the next pipelined request stays unread until the response is out") {
  for (size_t fragment : kFragments) {
    CAPTURE(fragment);
    Bench bench(Role::server, {}, fragment);
    const std::string two = std::string(kGet) + "GET /second HTTP/1.1\r\nHost: a\r\n\r\n";
    size_t used = bench.feed(two);
    CHECK(used == kGet.size());
    CHECK(bench.feed(two.substr(used)) == 0);
    CHECK_FALSE(bench.codec.is_idle());
    bench.respond(200, "ok");
    CHECK(bench.codec.is_idle());
    CHECK(bench.feed(two.substr(used)) == two.size() - used);
    CHECK(bench.events.requests.back().path == "/second");
  }
}

TEST_CASE("h1 server: a receiver that answers inside the event lets pipelined requests go on") {
  for (size_t fragment : kFragments) {
    Bench bench(Role::server, {}, fragment);
    bench.events.when_request = [&](StreamId) { bench.respond(204); };
    CHECK(bench.feed(std::string(kGet) + std::string(kGet)) == 2 * kGet.size());
    CHECK(bench.events.events() == "request 1 GET a /\n  Host=a\nend\nrequest 2 GET a /\n  Host=a\nend\n");
    CHECK(bench.sent() == "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n");
  }
}

TEST_CASE("h1 server: an answer in front of the request's end leaves the rest to be read") {
  Bench bench(Role::server);
  bench.feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe");
  bench.respond(200);
  CHECK(bench.codec.is_receiving());
  CHECK_FALSE(bench.codec.is_idle());
  bench.feed("llo");
  CHECK(bench.codec.is_idle());
  CHECK(bench.events.ends == 1);
}

TEST_CASE("h1 server: a response's framing follows from the size of its body") {
  CHECK(reply(kGet, 200, BodySize::known(2), "ok") == "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  CHECK(reply(kGet, 200, BodySize::none()) == "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  CHECK(reply(kGet, 200, BodySize::unknown(), "hello, chunked") ==
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\ne\r\nhello, chunked\r\n0\r\n\r\n");
  CHECK(reply(kGet, 200, BodySize::known(0), {},
              {{"Content-Length", "9"}, {"Transfer-Encoding", "chunked"}, {"Connection", "x"}, {"A", "b"}}) ==
        "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 0\r\n\r\n");
  CHECK(reply(kGet, 799, BodySize::none()) == "HTTP/1.1 799 \r\nContent-Length: 0\r\n\r\n");
}

TEST_CASE("h1 server: HEAD, 204 and 304 carry no body byte") {
  constexpr std::string_view kHead = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
  CHECK(reply(kHead, 200, BodySize::known(2), "ok") == "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
  CHECK(reply(kHead, 200, BodySize::none(), "ok", {{"Content-Length", "7"}}) ==
        "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n");
  CHECK(reply(kHead, 200, BodySize::unknown(), "ok") == "HTTP/1.1 200 OK\r\n\r\n");
  CHECK(reply(kGet, 304, BodySize::none(), "ok", {{"Content-Length", "7"}}) ==
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n");
  CHECK(reply(kGet, 204, BodySize::known(2), "ok", {{"Content-Length", "2"}}) == "HTTP/1.1 204 No Content\r\n\r\n");
}

TEST_CASE("h1 server: an HTTP/1.0 client is told about keep-alive and never sent chunks") {
  CHECK(reply(kGet10, 200, BodySize::known(2), "ok") ==
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
  CHECK(reply("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", 200, BodySize::known(2), "ok") ==
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok");
  CHECK(reply("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, BodySize::unknown(), "ok") ==
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok");
}

TEST_CASE("h1 server: Connection: close is kept to, whoever asks for it") {
  Bench asked(Role::server);
  asked.feed("GET / HTTP/1.1\r\nHost: a\r\nConnection: foo, Close\r\n\r\n");
  asked.respond(204);
  CHECK(asked.sent() == "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
  CHECK_FALSE(asked.codec.is_reusable());
  CHECK(asked.feed(kGet) == 0);

  Bench draining(Role::server);
  draining.codec.drain();
  CHECK(draining.codec.is_idle());
  draining.feed(kGet);
  draining.respond(204);
  CHECK(draining.sent() == "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
  CHECK(draining.feed(kGet) == 0);
}

TEST_CASE("h1 server: a body that belies its length costs the connection and never the framing") {
  Bench bench(Role::server);
  ResponseHead head(bench.arena);
  head.status = 200;
  bench.feed(kGet);
  bench.codec.send_response(1, head, BodySize::known(2));
  SUBCASE("too long") { bench.codec.send_data(1, Slice::literal("okay")); }
  SUBCASE("too short") { bench.codec.send_data(1, Slice::literal("o")); }
  bench.codec.send_end(1, nullptr);
  CHECK_FALSE(bench.codec.is_reusable());
  const auto sent = bench.sent();
  CHECK(sent.substr(sent.find("\r\n\r\n") + 4).size() <= 2);
}

TEST_CASE("h1 server: trailers go out behind the last chunk, the forbidden ones left out") {
  Bench bench(Role::server);
  ResponseHead head(bench.arena);
  head.status = 200;
  Headers trailers(bench.arena);
  trailers.add("grpc-status", "0");
  trailers.add("Content-Length", "5");
  bench.feed(kGet);
  bench.codec.send_response(1, head, BodySize::unknown());
  bench.codec.send_data(1, Slice());
  bench.codec.send_end(1, &trailers);
  CHECK(bench.sent() == "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\ngrpc-status: 0\r\n\r\n");
  CHECK(bench.codec.is_idle());
}

TEST_CASE("h1 server: an interim response goes to HTTP/1.1 clients alone") {
  for (const auto request : {kGet, kGet10}) {
    Bench bench(Role::server);
    ResponseHead hints(bench.arena);
    hints.status = 103;
    hints.headers.add("Link", "</a>");
    bench.feed(request);
    bench.codec.send_interim(1, hints);
    CHECK(bench.sent() == (request == kGet ? "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" : ""));
  }
}

TEST_CASE("h1 server: a refused request can still be answered, once and with close") {
  Bench bench(Role::server);
  bench.feed("GET / HTTP/1.1\r\n\r\n");
  REQUIRE(bench.error);
  bench.respond(400, "no");
  CHECK(bench.sent() == "HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
  bench.respond(400, "no");
  CHECK(bench.sent() == "");
}

// RFC 6455 section 1.3's own key.
constexpr std::string_view kUpgrade =
    "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

TEST_CASE("h1 server: after 101 both directions are raw") {
  for (size_t fragment : kFragments) {
    CAPTURE(fragment);
    Bench bench(Role::server, {}, fragment);
    CHECK(bench.feed(std::string(kUpgrade) + "GET raw") == kUpgrade.size());
    CHECK(bench.events.events() ==
          "request 1 GET a / tunnel\n  Host=a\n  Connection=Upgrade\n  Upgrade=WebSocket\n"
          "  Sec-WebSocket-Version=13\n");
    CHECK(bench.events.requests.back().protocol == "websocket");
    ResponseHead head(bench.arena);
    head.status = 101;
    bench.codec.send_response(1, head, BodySize::tunnel());
    CHECK(bench.sent() ==
          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
          "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nConnection: upgrade\r\n\r\n");
    CHECK(bench.feed("GET raw\n") == 8);
    CHECK(bench.events.body == "GET raw\n");
    bench.codec.send_data(1, Slice::literal("raw back"));
    CHECK(bench.sent() == "raw back");
    bench.feed_end();
    CHECK_FALSE(bench.error);
    CHECK(bench.events.ends == 1);
    bench.codec.send_data(1, Slice::literal("after FIN"));
    CHECK(bench.sent() == "after FIN");
    CHECK_FALSE(bench.codec.ends_with_fin());
    bench.codec.send_end(1, nullptr);
    CHECK(bench.codec.ends_with_fin());
  }
}

TEST_CASE("h1 server: a WebSocket that isn't granted leaves the connection to the next request") {
  Bench bench(Role::server);
  CHECK(bench.feed(std::string(kUpgrade) + std::string(kUpgrade)) == kUpgrade.size());
  bench.respond(403, "no");
  CHECK(bench.sent() == "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
  CHECK(bench.codec.is_reusable());
  CHECK(bench.feed(kUpgrade) == kUpgrade.size());
}

TEST_CASE("h1 server: what isn't a sound WebSocket handshake is a normal request") {
  for (const std::string_view without : {"GET", "Sec-WebSocket-Version: 13\r\n", "Connection: Upgrade\r\n",
                                         "Upgrade: WebSocket\r\n", "dGhlIHNhbXBsZSBub25jZQ=="}) {
    CAPTURE(without);
    std::string request(kUpgrade);
    request.replace(request.find(without), without.size(), without == "GET" ? "PUT" : "");
    Bench bench(Role::server);
    CHECK(bench.feed(request) == request.size());
    CHECK(bench.events.requests.back().protocol.empty());
    CHECK(bench.events.ends == 1);
  }
}

TEST_CASE("h1 server: an upgrade that isn't taken is a normal request") {
  const std::string upgrade = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n";
  Bench bench(Role::server);
  CHECK(bench.feed(upgrade + upgrade) == upgrade.size());
  bench.respond(200);
  CHECK(bench.feed(upgrade) == upgrade.size());
}

TEST_CASE("h1 server: a FIN inside a request is an error, between requests it is none") {
  for (const std::string_view part :
       {"G", "GET / HTTP/1.1\r\nHost: a\r\n", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n1",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"}) {
    CAPTURE(part);
    Bench bench(Role::server);
    bench.feed(part);
    CHECK(bench.codec.is_receiving());
    bench.feed_end();
    REQUIRE(bench.error);
    CHECK(name_of(bench.error->code) == "client_gone");
  }
  Bench bench(Role::server);
  bench.feed_end();
  CHECK_FALSE(bench.error);
  CHECK_FALSE(bench.codec.is_reusable());
}

TEST_CASE("h1 server: a head in single bytes costs memory in proportion to its size") {
  HeadLimits limits;
  limits.head_bytes = 64 * 1024;
  Bench bench(Role::server, limits, 1);
  bench.feed("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(60'000, 'x') + "\r\n\r\n");
  CHECK(bench.events.ends == 1);
  CHECK(bench.events.requests.back().headers.arena().footprint() < 320 * 1024);
}

TEST_CASE("h1 server: a reset ends the connection and its events") {
  Bench bench(Role::server);
  bench.feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe");
  bench.codec.reset(1, ErrorCode::internal);
  CHECK(bench.feed("llo") == 0);
  CHECK(bench.events.ends == 0);
  CHECK_FALSE(bench.codec.is_reusable());
}

}  // namespace weir::http
