#include <doctest/doctest.h>

#include "h2_bench.h"

namespace weir::http {

using namespace h2;

namespace {

/// What a client that asked with `method` reports of these frames, the same in every fragmentation.
std::string report(const std::string& frames, Method method = Method::get) {
  std::string events;
  for (size_t fragment : kFragments) {
    CAPTURE(fragment);
    H2Bench bench(Role::client, {}, fragment);
    bench.ask(method);
    bench.sent();
    bench.feed(frames);
    CHECK_FALSE(bench.error);
    bench.sent();
    if (events.empty()) events = bench.events.events();
    CHECK(bench.events.events() == events);
  }
  return events;
}

}  // namespace

TEST_CASE("h2 client: a response's parts are reported as they came") {
  CHECK(report(headers(1, {{":status", "404"}, {"content-length", "2"}, {"x_y", "z"}}, 0) +
               data(1, "no", kEndStream)) == "response 404  +2\n  content-length=2\n  x_y=z\ndata no\nend\n");
  CHECK(report(headers(1, kOk)) == "response 200 \nend\n");
  CHECK(report(headers(1, kOk, 0) + data(1, "ok") + headers(1, {{"grpc-status", "0"}})) ==
        "response 200  +?\ndata ok\nend\n  grpc-status=0\n");
  CHECK(report(headers(1, {{":status", "103"}, {"link", "x"}}, 0) + headers(1, kOk)) ==
        "interim 103 \n  link=x\nresponse 200 \nend\n");
  CHECK(report(headers(1, {{":status", "200"}, {"content-length", "5"}}), Method::head) ==
        "response 200 \n  content-length=5\nend\n");
  CHECK(report(headers(1, {{":status", "304"}}, 0) + data(1, "", kEndStream)) == "response 304 \nend\n");
}

TEST_CASE("h2 client: a malformed response costs its stream") {
  std::string many;
  for (int i = 0; i < 33; ++i) many += headers(1, {{":status", "102"}}, 0);
  for (const auto& frames : {headers(1, {}), headers(1, {{":status", "20"}}), headers(1, {{":status", "abc"}}),
                             headers(1, {{":status", "099"}}), headers(1, {{":status", "101"}}, 0),
                             headers(1, with(kOk, kOk)), headers(1, {{":status", "103"}}),
                             headers(1, with(kOk, {{"connection", "close"}})), headers(1, with(kOk, {{"X", "y"}})),
                             headers(1, with(kOk, {{":path", "/"}})), headers(1, with(kOk, {{"content-length", "5"}})),
                             headers(1, with(kOk, {{"content-length", "5"}}), 0) + data(1, "ok", kEndStream),
                             headers(1, with(kOk, {{"content-length", "1"}}), 0) + data(1, "ok"),
                             headers(1, kOk, 0) + headers(1, {{":status", "200"}}), data(1, "ok"),
                             headers(1, {{":status", "204"}}, 0) + data(1, "x"), many}) {
    for (size_t fragment : kFragments) {
      CAPTURE(fragment);
      CAPTURE(frames);
      H2Bench bench(Role::client, {}, fragment);
      bench.ask();
      bench.sent();
      bench.feed(frames);
      bench.sent();
      const auto error = bench.error ? *bench.error : bench.events.resets.at(0);
      CHECK(name_of(error.code) == "protocol_error");
      CHECK(error.side == Side::upstream);
      CHECK(bench.events.ends == 0);
      CHECK(bench.events.resets.size() == 1);
    }
  }
}

TEST_CASE("h2 client: a request is written in HTTP/2's terms") {
  BlockPool pool{16 * 1024};
  H2Bench client(Role::client);
  H2Bench server(Role::server);
  RequestHead head(client.arena);
  head.method = Method::post;
  head.scheme = "https";
  head.authority = "b:81";
  head.path = "/x";
  head.headers.add("Host", "a");
  head.headers.add("Connection", "close");
  head.headers.add("Keep-Alive", "1");
  head.headers.add("Upgrade", "h2c");
  head.headers.add("Transfer-Encoding", "chunked");
  head.headers.add("TE", "gzip, trailers;q=1");
  head.headers.add("Accept-Language", "En");
  client.codec.send_request(head, BodySize::known(0));
  server.feed(client.sent());
  CHECK(server.events.events() ==
        "request 1 POST b:81 /x +0\n  te=trailers\n  accept-language=En\n  content-length=0\n  Host=b:81\nend\n");
  CHECK(server.events.requests.back().scheme == "https");
}

TEST_CASE("h2 client: what a peer that goes away never saw may be sent again") {
  H2Bench bench(Role::client);
  bench.ask();
  bench.ask();
  bench.sent();
  bench.ask();
  bench.feed(goaway(1, NGHTTP2_NO_ERROR));
  bench.sent();
  CHECK(bench.events.events() == "reset 3 connection_reset\nreset 5 connection_reset\n");
  for (const auto& error : bench.events.resets) CHECK(error.retry == RetrySafe::yes);
  CHECK(bench.codec.capacity() == 0);
  CHECK_FALSE(bench.codec.is_reusable());
  CHECK_FALSE(bench.codec.is_idle());
  bench.feed(headers(1, kOk));
  CHECK(bench.events.ends == 1);
  CHECK(bench.codec.is_idle());
  CHECK(bench.codec.send_request(RequestHead(bench.arena), BodySize::none()) == 0);
}

TEST_CASE("h2 client: however many requests a peer that goes away never saw, the others get their responses") {
  H2Bench bench(Role::client, {}, 1 << 20, setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1000));
  for (int i = 0; i < 500; ++i) bench.ask();
  bench.sent();
  bench.feed(goaway(1, NGHTTP2_NO_ERROR));
  bench.sent();
  CHECK_FALSE(bench.error);
  CHECK(bench.events.resets.size() == 499);
  bench.feed(headers(1, kOk));
  CHECK(bench.events.ends == 1);
}

TEST_CASE("h2 client: only a refused stream is safe to send again") {
  H2Bench bench(Role::client);
  bench.ask();
  bench.ask();
  bench.sent();
  bench.feed(rst_stream(1, NGHTTP2_REFUSED_STREAM) + rst_stream(3, NGHTTP2_CANCEL));
  REQUIRE(bench.events.resets.size() == 2);
  CHECK(bench.events.resets[0].retry == RetrySafe::yes);
  CHECK(bench.events.resets[1].retry == RetrySafe::no);
  CHECK(bench.events.resets[1].detail == "reset with CANCEL");
  CHECK(bench.codec.is_reusable());
}

TEST_CASE("h2 client: an endpoint that wants HTTP/1.1 says so for a stream, or for all that come") {
  H2Bench bench(Role::client);
  bench.ask();
  bench.ask();
  bench.sent();
  bench.feed(rst_stream(1, NGHTTP2_HTTP_1_1_REQUIRED));
  REQUIRE(bench.events.resets.size() == 1);
  CHECK(bench.events.resets[0].retry == RetrySafe::over_http1);
  CHECK(bench.codec.is_reusable());
  bench.feed(goaway(1, NGHTTP2_HTTP_1_1_REQUIRED));
  REQUIRE(bench.events.resets.size() == 2);
  CHECK(bench.events.resets[1].retry == RetrySafe::over_http1);
  CHECK_FALSE(bench.codec.is_reusable());
}

TEST_CASE("h2 client: heads on streams that are over, in masses, keep new requests off the connection") {
  H2Bench bench(Role::client);
  bench.ask();
  bench.sent();
  bench.feed(headers(1, kOk));
  std::string many;
  for (int i = 0; i < 3000; ++i) many += headers(1, kOk);
  bench.feed(many);
  CHECK_FALSE(bench.error);
  CHECK_FALSE(bench.codec.is_reusable());
}

TEST_CASE("h2 client: capacity follows the peer's settings") {
  H2Bench bench(Role::client, {}, 1 << 20, setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 2));
  CHECK(bench.codec.capacity() == 2);
  bench.ask();
  bench.ask();
  CHECK(bench.codec.capacity() == 0);
  CHECK(bench.codec.is_reusable());
  bench.ask();  // waits
  CHECK(bench.frames() == "HEADERS 1 END, HEADERS 3 END");
  bench.feed(headers(1, kOk));
  CHECK(bench.frames() == "HEADERS 5 END");
  H2Bench unlimited(Role::client);
  CHECK(unlimited.codec.capacity() == 1000);
  unlimited.codec.drain();
  CHECK(unlimited.codec.capacity() == 0);
}

TEST_CASE("h2 client: a request that is given up before it left never leaves") {
  H2Bench bench(Role::client);
  bench.ask();
  bench.codec.reset(1, ErrorCode::client_gone);
  CHECK(bench.frames() == "");
  CHECK(bench.codec.is_idle());
  CHECK(bench.events.events() == "");
  bench.ask();
  CHECK(bench.frames() == "HEADERS 3 END");
  bench.codec.reset(3, ErrorCode::client_gone);
  CHECK(bench.frames() == "RST_STREAM 3 CANCEL");
  bench.feed(headers(3, kOk));
  CHECK(bench.events.events() == "");
}

TEST_CASE("h2 client: a tunnel is asked for by extended CONNECT, when the peer takes it") {
  H2Bench plain(Role::client);
  CHECK_FALSE(plain.codec.can_tunnel());
  H2Bench bench(Role::client, {}, 1 << 20, setting(NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1));
  CHECK(bench.codec.can_tunnel());
  H2Bench server(Role::server);
  RequestHead head(bench.arena);
  head.authority = "a";
  head.path = "/chat";
  head.protocol = "websocket";
  head.headers.add("Sec-WebSocket-Key", "secret");
  head.headers.add("Sec-WebSocket-Protocol", "chat");
  const auto stream = bench.codec.send_request(head, BodySize::tunnel());
  server.feed(bench.sent());
  CHECK(server.events.events() == "request 1 GET a /chat tunnel\n  sec-websocket-protocol=chat\n  Host=a\n");
  SUBCASE("granted") {
    bench.feed(headers(1, kOk, 0));
    CHECK(bench.events.events() == "response 101  tunnel\n");
    bench.codec.send_data(stream, Slice::literal("raw"));
    bench.codec.send_end(stream, nullptr);
    CHECK(bench.frames() == "DATA 1 3 END");
    bench.feed(data(1, "raw", kEndStream));
    CHECK(bench.events.events() == "response 101  tunnel\ndata raw\nend\n");
    CHECK(bench.codec.is_idle());
  }
  SUBCASE("not granted") {
    bench.feed(headers(1, {{":status", "403"}}, 0) + data(1, "no", kEndStream) + rst_stream(1, NGHTTP2_NO_ERROR));
    CHECK(bench.events.events() == "response 403  +?\ndata no\nend\nreset 1 connection_reset\n");
    CHECK(bench.codec.is_idle());
  }
}

TEST_CASE("h2 client: a FIN ends every stream, and an unanswered one says so") {
  H2Bench bench(Role::client);
  bench.ask();
  bench.ask();
  bench.sent();
  bench.feed(headers(1, kOk, 0));
  bench.feed_end();
  REQUIRE(bench.error);
  CHECK(name_of(bench.error->code) == "incomplete_response");
  REQUIRE(bench.events.resets.size() == 2);
  CHECK(bench.events.resets[0].detail == "the upstream closed without a response");
  CHECK(bench.events.resets[1].detail == "the upstream closed inside a response");
}

TEST_CASE("h2 client: an answer to its own ping is told, another's is not") {
  H2Bench bench(Role::client);
  bench.codec.ping();
  const auto sent = bench.sent();
  CHECK(list(sent) == "PING");
  bench.feed(frame(NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, "12345678"));
  CHECK(bench.events.events().empty());
  bench.feed(frame(NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, sent.substr(9)));
  CHECK(bench.events.events() == "pong\n");
}

TEST_CASE("h2 client: a push is refused") {
  H2Bench bench(Role::client);
  bench.ask();
  bench.sent();
  bench.feed(frame(NGHTTP2_PUSH_PROMISE, kEndHeaders, 1, number(2, 4) + block(kGet)));
  REQUIRE(bench.error);
  CHECK(name_of(bench.error->code) == "protocol_error");
}

}  // namespace weir::http
