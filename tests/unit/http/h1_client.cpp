#include <doctest/doctest.h>

#include "bench.h"
#include "http/websocket.h"

namespace weir::http {

namespace {

// What a client that asked with `method` reports of these bytes, the same in every fragmentation.
std::string report(std::string_view bytes, Method method = Method::get) {
  std::string events;
  for (size_t fragment : kFragments) {
    CAPTURE(fragment);
    Bench bench(Role::client, {}, fragment);
    bench.ask(method);
    CHECK(bench.feed(bytes) == bytes.size());
    REQUIRE_FALSE(bench.error);
    if (events.empty()) events = bench.events.events();
    CHECK(bench.events.events() == events);
  }
  return events;
}

void refuses(std::string_view bytes, HeadLimits limits = {}) {
  for (size_t fragment : kFragments) {
    CAPTURE(fragment);
    CAPTURE(bytes);
    Bench bench(Role::client, limits, fragment);
    bench.ask();
    bench.feed(bytes);
    REQUIRE(bench.error);
    CHECK(name_of(bench.error->code) == "protocol_error");
    CHECK(bench.error->side == Side::upstream);
    CHECK(bench.events.ends == 0);
    CHECK_FALSE(bench.codec.is_reusable());
  }
}

bool is_reusable_after(std::string_view bytes) {
  Bench bench(Role::client);
  bench.ask();
  bench.feed(bytes);
  CHECK_FALSE(bench.error);
  return bench.codec.is_reusable();
}

}  // namespace

TEST_CASE("h1 client: a request is written with Host first and framing of its own") {
  Bench bench(Role::client);
  RequestHead head(bench.arena);
  head.method = Method::post;
  head.method_name = "POST";
  head.authority = "b:81";
  head.path = "/x";
  head.query = "y=1";
  head.has_query = true;
  head.headers.add("Host", "a");
  head.headers.add("Connection", "close");
  head.headers.add("Content-Length", "99");
  head.headers.add("Accept", "*/*");
  SUBCASE("known length") {
    const auto stream = bench.codec.send_request(head, BodySize::known(5));
    bench.codec.send_data(stream, Slice::literal("hello"));
    bench.codec.send_end(stream, nullptr);
    CHECK(bench.sent() == "POST /x?y=1 HTTP/1.1\r\nHost: b:81\r\nAccept: */*\r\nContent-Length: 5\r\n\r\nhello");
  }
  SUBCASE("unknown length") {
    const auto stream = bench.codec.send_request(head, BodySize::unknown());
    bench.codec.send_data(stream, Slice::literal("hello"));
    bench.codec.send_end(stream, nullptr);
    CHECK(bench.sent() ==
          "POST /x?y=1 HTTP/1.1\r\nHost: b:81\r\nAccept: */*\r\nTransfer-Encoding: "
          "chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
  }
  SUBCASE("an upgrade, trailers taken, the connection's last") {
    head.headers.add("Upgrade", "websocket");
    head.headers.add("TE", "trailers");
    bench.codec.drain();
    bench.codec.send_request(head, BodySize::none());
    CHECK(bench.sent() ==
          "POST /x?y=1 HTTP/1.1\r\nHost: b:81\r\nAccept: */*\r\nUpgrade: websocket\r\nTE: trailers\r\n"
          "Content-Length: 0\r\nConnection: close, upgrade, te\r\n\r\n");
  }
}

TEST_CASE("h1 client: a method that goes with content says that it has none") {
  const auto sent = [](Method method, BodySize body = BodySize::none()) {
    Bench bench(Role::client);
    RequestHead head(bench.arena);
    head.method = method;
    head.path = "/";
    bench.codec.send_request(head, body);
    return bench.sent().contains("Content-Length: 0\r\n");
  };
  for (const auto method : {Method::post, Method::put, Method::patch, Method::query}) CHECK(sent(method));
  for (const auto method : {Method::get, Method::head, Method::delete_, Method::options}) CHECK_FALSE(sent(method));
  CHECK(sent(Method::get, BodySize::known(0)));
}

TEST_CASE("h1 client: a response's parts are reported as they came") {
  CHECK(report("HTTP/1.1 200 Fine by me\r\nA: b\r\nContent-Length: 2\r\n\r\nok") ==
        "response 200 Fine by me +2\n  A=b\n  Content-Length=2\ndata ok\nend\n");
  CHECK(report("HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n") == "response 404  +0\n  Content-Length=0\nend\n");
  CHECK(report("HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n") == "response 404  +0\n  Content-Length=0\nend\n");
  CHECK(report("HTTP/1.1 200 OK\r\nX_Y: z\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n") ==
        "response 200 OK +?\n  X_Y=z\n  Transfer-Encoding=chunked\ndata ok\nend\n  X-Sum=1\n");
}

TEST_CASE("h1 client: responses that have no body have none, whatever they say") {
  CHECK(report("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Method::head) ==
        "response 200 OK\n  Content-Length=5\nend\n");
  CHECK(report("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Method::head) ==
        "response 200 OK\n  Transfer-Encoding=chunked\nend\n");
  CHECK(report("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n") ==
        "response 204 No Content\n  Content-Length=5\nend\n");
  CHECK(report("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n") ==
        "response 304 Not Modified\n  Content-Length=5\nend\n");
}

TEST_CASE("h1 client: interim responses come before the final one") {
  CHECK(report("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 "
               "OK\r\nContent-Length: 0\r\n\r\n") ==
        "interim 100 Continue\ninterim 103 Early Hints\n  Link=x\nresponse 200 OK +0\n  Content-Length=0\nend\n");
  std::string endless;
  for (int i = 0; i < 33; ++i) endless += "HTTP/1.1 102 Processing\r\n\r\n";
  refuses(endless);
}

TEST_CASE("h1 client: a body without a length runs until the connection closes") {
  for (const std::string_view version : {"1.0", "1.1"}) {
    for (size_t fragment : kFragments) {
      Bench bench(Role::client, {}, fragment);
      bench.ask();
      bench.feed("HTTP/" + std::string(version) + " 200 OK\r\n\r\nall of it");
      CHECK(bench.events.ends == 0);
      CHECK_FALSE(bench.codec.is_reusable());
      bench.feed_end();
      CHECK_FALSE(bench.error);
      CHECK(bench.events.events() == "response 200 OK +?\ndata all of it\nend\n");
    }
  }
}

TEST_CASE("h1 client: a response cut short is incomplete") {
  for (const std::string_view part :
       {"", "HTTP/1.1 2", "HTTP/1.1 200 OK\r\nA: b\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcd",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "HTTP/1.1 103 X\r\n\r\n"}) {
    CAPTURE(part);
    Bench bench(Role::client);
    bench.ask();
    bench.feed(part);
    REQUIRE_FALSE(bench.error);
    bench.feed_end();
    REQUIRE(bench.error);
    CHECK(name_of(bench.error->code) == "incomplete_response");
    CHECK(bench.error->side == Side::upstream);
    CHECK(bench.events.ends == 0);
  }
}

TEST_CASE("h1 client: ambiguous framing of a response is refused") {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  refuses(ok + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n");
  refuses(ok + "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n");
  refuses(ok + "Content-Length: 2\r\nContent-Length: 2\r\n\r\n");
  refuses(ok + "Content-Length: 2, 2\r\n\r\n");
  refuses(ok + "Content-Length: -1\r\n\r\n");
  refuses(ok + "Content-Length:\r\n\r\n");
  refuses(ok + "Transfer-Encoding: gzip\r\n\r\n");
  refuses(ok + "Transfer-Encoding: gzip, chunked\r\n\r\n");
  refuses(ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n");
  refuses("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  refuses(ok + "A : b\r\n\r\n");
  refuses(ok + "A: b\r\n c\r\n\r\n");
  refuses(ok + " A: b\r\n\r\n");
  refuses(ok + "A: b\rc\r\n\r\n");
  refuses(ok + "A: b\n\r\n");
  refuses(ok + "no colon\r\n\r\n");
  refuses(ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX");
}

TEST_CASE("h1 client: a malformed status line is refused") {
  for (const char* line :
       {"HTTP/2.0 200 OK", "HTTP/0.9 200 OK", "HTTP/1.2 200 OK", "http/1.1 200 OK", "ICY 200 OK", "RTSP/1.0 200 OK",
        "HTTP/1.1  200 OK", "HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "HTTP/1.1 2x0 OK", "HTTP/1.1 099 OK",
        "HTTP/1.1 200\tOK", "HTTP/1.1200 OK", "HTTP/1.1", "", " HTTP/1.1 200 OK", "hello"}) {
    CAPTURE(line);
    refuses(std::string(line) + "\r\nContent-Length: 0\r\n\r\n");
  }
}

TEST_CASE("h1 client: a response head past its limit is refused") {
  HeadLimits limits;
  limits.head_bytes = 100;
  refuses("HTTP/1.1 200 OK\r\nA: " + std::string(100, 'a') + "\r\n\r\n", limits);
  limits.fields = 1;
  refuses("HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\n\r\n", limits);
}

TEST_CASE("h1 client: a status line past its limit is told as one") {
  HeadLimits limits;
  limits.head_bytes = 100;
  Bench bench(Role::client, limits);
  bench.ask();
  bench.feed("HTTP/1.1 200 " + std::string(100, 'a') + "\r\n\r\n");
  REQUIRE(bench.error);
  CHECK(bench.error->detail == "the status line is too long");
}

TEST_CASE("h1 client: whether a connection serves again follows from version, Connection and framing") {
  CHECK(is_reusable_after("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
  CHECK(is_reusable_after("HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n"));
  CHECK_FALSE(is_reusable_after("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"));
  CHECK_FALSE(is_reusable_after("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
  CHECK_FALSE(is_reusable_after("HTTP/1.1 200 OK\r\n\r\n"));
}

TEST_CASE("h1 client: bytes that nobody asked for poison the connection") {
  const std::string response = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  Bench behind(Role::client);
  behind.ask();
  CHECK(behind.feed(response + response) == response.size());
  CHECK(behind.events.responses.size() == 1);
  CHECK_FALSE(behind.codec.is_reusable());

  Bench before(Role::client);
  CHECK(before.feed(response) == 0);
  CHECK_FALSE(before.codec.is_reusable());
  CHECK(before.events.responses.empty());
}

TEST_CASE("h1 client: one connection carries many requests") {
  Bench bench(Role::client);
  for (int i = 0; i < 3; ++i) {
    CHECK(bench.codec.is_idle());
    bench.ask();
    CHECK_FALSE(bench.codec.is_idle());
    bench.feed("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  }
  CHECK(bench.events.ends == 3);
  CHECK(bench.codec.is_idle());
}

TEST_CASE("h1 client: a final response in front of the request's end costs the connection") {
  Bench bench(Role::client);
  RequestHead head(bench.arena);
  head.method = Method::post;
  head.path = "/";
  const auto stream = bench.codec.send_request(head, BodySize::known(5));
  bench.feed("HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n");
  CHECK_FALSE(bench.codec.is_reusable());
  CHECK(bench.events.ends == 1);
  bench.codec.send_data(stream, Slice::literal("hello"));
  bench.codec.send_end(stream, nullptr);
  CHECK_FALSE(bench.codec.is_idle());
}

namespace {

// The answer to a WebSocket's handshake, whose key is read off the request.
std::string grant(std::string_view request) {
  constexpr std::string_view kName = "Sec-WebSocket-Key: ";
  const auto key = request.substr(request.find(kName) + kName.size(), 24);
  return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: " +
         std::string(WebSocketHandshake::of(key).accept_text()) + "\r\n\r\n";
}

void ask_for_a_tunnel(Bench& bench) {
  RequestHead head(bench.arena);
  head.authority = "a";
  head.path = "/";
  head.protocol = kWebSocket;
  bench.codec.send_request(head, BodySize::tunnel());
}

}  // namespace

TEST_CASE("h1 client: 101 opens a tunnel, if it was asked for") {
  refuses("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n");
  for (size_t fragment : kFragments) {
    Bench bench(Role::client, {}, fragment);
    ask_for_a_tunnel(bench);
    const auto request = bench.sent();
    CHECK(request.ends_with("\r\nConnection: upgrade\r\n\r\n"));
    bench.feed(grant(request) + "raw");
    CHECK(bench.events.events() ==
          "response 101 Switching Protocols tunnel\n  Upgrade=websocket\n  Connection=upgrade\ndata raw\n");
    bench.codec.send_data(1, Slice::literal("back"));
    CHECK(bench.sent() == "back");
    bench.feed_end();
    CHECK_FALSE(bench.error);
    CHECK(bench.events.ends == 1);
  }
}

TEST_CASE("h1 client: a tunnel is not opened by another's Sec-WebSocket-Accept") {
  Bench bench(Role::client);
  ask_for_a_tunnel(bench);
  bench.sent();
  bench.feed(grant("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="));
  REQUIRE(bench.error);
  CHECK(bench.error->code == ErrorCode::protocol_error);
}

TEST_CASE("h1 client: a tunnel that isn't granted is a response like any other") {
  Bench bench(Role::client);
  ask_for_a_tunnel(bench);
  bench.feed("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
  CHECK(bench.events.ends == 1);
  CHECK(bench.codec.is_idle());
}

TEST_CASE("h1 client: 2xx to CONNECT opens a tunnel, anything else is a response") {
  CHECK(report("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nraw bytes", Method::connect) ==
        "response 200 OK tunnel\n  Content-Length=3\ndata raw bytes\n");
  CHECK(report("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno", Method::connect) ==
        "response 403 No +2\n  Content-Length=2\ndata no\nend\n");
}

TEST_CASE("h1 client: bytes of a counted body may pass unseen, and the end is told as ever") {
  Bench bench(Role::client);
  bench.ask();
  bench.feed("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
  CHECK(bench.codec.may_pass_in(1) == 7);
  bench.codec.passed_in(1, 6);
  CHECK(bench.events.ends == 0);
  bench.codec.passed_in(1, 1);
  CHECK(bench.events.ends == 1);
  CHECK(bench.events.body == "");
  CHECK(bench.codec.is_idle());
}

TEST_CASE("h1 client: each byte of a chunked body is looked at") {
  Bench bench(Role::client);
  bench.ask();
  bench.feed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nabc");
  CHECK(bench.codec.may_pass_in(1) == 0);
}

}  // namespace weir::http
