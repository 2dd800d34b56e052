#include <doctest/doctest.h>

#include "h2_bench.h"

namespace weir::http {

using namespace h2;

TEST_CASE("h2 server: a request's parts are reported as they came") {
  for (size_t fragment : kFragments) {
    CAPTURE(fragment);
    H2Bench bench(Role::server, {}, fragment);
    bench.feed(headers(1,
                       {{":method", "POST"},
                        {":scheme", "https"},
                        {":authority", "b:81"},
                        {":path", "/x?y=1"},
                        {"content-length", "5"},
                        {"te", "trailers"}},
                       0) +
               data(1, "he") + data(1, "llo") + headers(1, {{"x-sum", "17"}, {"content-type", "no"}}));
    REQUIRE_FALSE(bench.error);
    CHECK(bench.events.events() ==
          "request 1 POST b:81 /x?y=1 +5\n  content-length=5\n  te=trailers\n  Host=b:81\ndata hello\nend\n"
          "  x-sum=17\n");
    const auto& head = bench.events.requests.back();
    CHECK(head.version == Version::http2);
    CHECK(head.scheme == "https");
    CHECK(head.target == "/x?y=1");
    CHECK_FALSE(bench.codec.is_receiving());
    CHECK_FALSE(bench.codec.is_idle());
  }
}

TEST_CASE("h2 server: a body has a known size, an unknown one, or there is none") {
  const auto report = [](const std::string& frames) {
    H2Bench bench(Role::server);
    bench.feed(frames);
    const auto& text = bench.events.events();
    return text.substr(0, text.find('\n'));
  };
  CHECK(report(headers(1, kGet)) == "request 1 GET a /");
  CHECK(report(headers(1, kPost, 0)) == "request 1 POST a / +?");
  CHECK(report(headers(1, with(kPost, {{"content-length", "3"}}), 0)) == "request 1 POST a / +3");
  CHECK(report(headers(1, with(kPost, {{"content-length", "0"}}))) == "request 1 POST a / +0");
}

TEST_CASE("h2 server: a header block may come in several frames") {
  const auto fields = block(kGet);
  for (size_t fragment : kFragments) {
    H2Bench bench(Role::server, {}, fragment);
    bench.feed(frame(NGHTTP2_HEADERS, kEndStream, 1, fields.substr(0, 10)) +
               frame(NGHTTP2_CONTINUATION, 0, 1, fields.substr(10)) + frame(NGHTTP2_CONTINUATION, 0, 1) +
               frame(NGHTTP2_CONTINUATION, kEndHeaders, 1));
    CHECK(bench.events.events() == "request 1 GET a /\n  Host=a\nend\n");
  }
}

TEST_CASE("h2 server: cookies that came in several lines are one line again") {
  H2Bench bench(Role::server);
  bench.feed(headers(1, with(kGet, {{"cookie", "a=b"}, {"x", "y"}, {"cookie", "c=d"}, {"cookie", "e=f"}})));
  CHECK(bench.events.events() == "request 1 GET a /\n  cookie=a=b; c=d; e=f\n  x=y\n  Host=a\nend\n");
}

TEST_CASE("h2 server: Host stands in for an :authority that isn't there") {
  H2Bench bench(Role::server);
  bench.feed(headers(1, {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {"host", "b"}}));
  CHECK(bench.events.events() == "request 1 GET b /\n  host=b\nend\n");
}

namespace {

std::string priority_update(StreamId stream, const std::string& value) {
  return frame(NGHTTP2_PRIORITY_UPDATE, 0, 0, number(stream, 4) + value);
}

/// In which order the streams 1, 3, 5 get their bytes, after these frames.
std::string order(const std::string& frames) {
  H2Bench bench(Role::server);
  bench.feed(frames);
  REQUIRE_FALSE(bench.error);
  for (StreamId stream : {1u, 3u, 5u}) {
    bench.codec.send_response(stream, bench.response(200), BodySize::known(2));
    bench.codec.send_data(stream, Slice::literal("ok"));
    bench.codec.send_end(stream, nullptr);
  }
  std::string streams;
  const auto list = bench.frames();
  for (auto at = list.find("DATA "); at != std::string::npos; at = list.find("DATA ", at + 1)) streams += list[at + 5];
  return streams;
}

}  // namespace

TEST_CASE("h2 server: a priority that is updated counts, be it before its request") {
  const auto three = headers(1, kGet) + headers(3, kGet) + headers(5, kGet);
  CHECK(order(three) == "135");
  CHECK(order(three + priority_update(5, "u=1")) == "513");
  CHECK(order(priority_update(3, "u=0") + three) == "315");
  CHECK(order(headers(1, with(kGet, {{"priority", "u=0"}})) + headers(3, kGet) + headers(5, kGet) +
              priority_update(1, "u=7")) == "351");
}

TEST_CASE("h2 server: a PRIORITY_UPDATE of nonsense costs nothing, or the connection") {
  CHECK(order(headers(1, kGet) + headers(3, kGet) + headers(5, kGet) + priority_update(5, "((") +
              priority_update(99, "u=1")) == "135");
  H2Bench bench(Role::server);
  bench.feed(frame(NGHTTP2_PRIORITY_UPDATE, 0, 1, number(1, 4) + "u=1"));
  CHECK(bench.frames() == "GOAWAY 0 PROTOCOL_ERROR");
}

TEST_CASE("h2 server: stream 0 is the connection") {
  H2Bench bench(Role::server);
  bench.feed(headers(1, kGet));
  bench.codec.reset(0, ErrorCode::request_timeout);
  CHECK(bench.frames() == "GOAWAY 1 ENHANCE_YOUR_CALM");
}

TEST_CASE("h2 server: streams are answered in any order, and leave in one flush") {
  H2Bench bench(Role::server);
  bench.feed(headers(1, kGet) + headers(3, kGet) + headers(5, kGet));
  CHECK(bench.events.ends == 3);
  for (StreamId stream : {5u, 1u, 3u}) {
    bench.codec.send_response(stream, bench.response(200), BodySize::known(2));
    bench.codec.send_data(stream, Slice::literal("ok"));
    CHECK(bench.codec.held_back(stream) == 2);
    bench.codec.send_end(stream, nullptr);
  }
  CHECK(bench.output.is_empty());
  CHECK(bench.frames() == "HEADERS 5, HEADERS 1, HEADERS 3, DATA 1 2 END, DATA 3 2 END, DATA 5 2 END");
  CHECK(bench.codec.held_back(5) == 0);
  CHECK(bench.events.unblocked == std::vector<StreamId>{1, 3, 5});
  CHECK(bench.codec.is_idle());
}

TEST_CASE("h2 server: pieces of a body share frames, and a head without a body ends the stream") {
  H2Bench bench(Role::server);
  bench.feed(headers(1, kGet) + headers(3, kGet) + headers(5, with(kGet, {{"x", "y"}})));
  bench.codec.send_response(1, bench.response(200), BodySize::unknown());
  for (int i = 0; i < 5; ++i) bench.codec.send_data(1, Slice::literal("hello"));
  CHECK(bench.frames() == "HEADERS 1, DATA 1 25");
  bench.codec.send_end(1, nullptr);
  CHECK(bench.frames() == "DATA 1 0 END");
  bench.codec.send_response(3, bench.response(200), BodySize::none());
  CHECK(bench.frames() == "HEADERS 3 END");
  Headers trailers(bench.arena);
  trailers.add("Grpc-Status", "0");
  bench.codec.send_response(5, bench.response(200), BodySize::unknown());
  bench.codec.send_end(5, &trailers);
  CHECK(bench.frames() == "HEADERS 5, HEADERS 5 END");
}

TEST_CASE("h2 server: bytes go out by reference") {
  H2Bench bench(Role::server);
  bench.feed(headers(1, kGet));
  const BlockRef block = bench.pool.take();
  const std::string_view body(block->bytes, 10'000);
  bench.codec.send_response(1, bench.response(200), BodySize::known(body.size()));
  bench.codec.send_data(1, Slice(block, body));
  bench.codec.send_end(1, nullptr);
  bench.codec.flush();
  std::vector<iovec> vectors(8);
  const auto count = bench.output.gather(vectors);
  CHECK(vectors.at(count - 1).iov_base == body.data());
  CHECK(vectors.at(count - 1).iov_len == body.size());
}

TEST_CASE("h2 server: a short piece that waits for its flush doesn't pin the buffer that it came in") {
  H2Bench bench(Role::server);
  bench.feed(headers(1, kGet));
  BlockPool reads(64 * 1024);
  bench.codec.send_response(1, bench.response(200), BodySize::known(5));
  bench.codec.send_data(1, Slice(reads.take(), "hello"));
  CHECK(reads.in_use() == 0);
  bench.codec.send_end(1, nullptr);
  CHECK(bench.frames() == "HEADERS 1, DATA 1 5 END");
}

TEST_CASE("h2 server: after a response before the request's end, the reset says NO_ERROR and leaves by itself") {
  H2Bench bench(Role::server);
  bench.feed(headers(1, kPost, 0) + data(1, "some"));
  bench.respond(413, "no");
  CHECK(bench.frames() == "HEADERS 1, DATA 1 2 END");
  CHECK_FALSE(bench.codec.is_holding(1));
  bench.codec.reset(1, ErrorCode::client_gone);
  CHECK(bench.frames() == "RST_STREAM 1 NO_ERROR");
  CHECK(bench.codec.is_idle());
  bench.feed(data(1, "more", kEndStream));
  CHECK_FALSE(bench.error);
  CHECK(bench.events.received == "some");
  CHECK(bench.events.ends == 0);
  CHECK(bench.codec.is_reusable());
}

TEST_CASE("h2 server: a client that resets its stream is gone") {
  H2Bench bench(Role::server);
  bench.feed(headers(1, kPost, 0) + data(1, "some") + headers(3, kGet) + rst_stream(1, NGHTTP2_CANCEL));
  CHECK(bench.events.events() ==
        "request 1 POST a / +?\n  Host=a\ndata some\nrequest 3 GET a /\n  Host=a\nend\nreset 1 client_gone\n");
  CHECK(bench.events.resets.at(0).side == Side::client);
  bench.codec.send_response(1, bench.response(200), BodySize::none());
  bench.respond(200);
  CHECK(bench.frames() == "HEADERS 3 END");
}

TEST_CASE("h2 server: why a stream is given up is told by the code of the reset") {
  const auto code_of = [](ErrorCode code) {
    H2Bench bench(Role::server);
    bench.feed(headers(1, kGet));
    bench.codec.reset(1, code);
    return bench.frames();
  };
  CHECK(code_of(ErrorCode::client_gone) == "RST_STREAM 1 CANCEL");
  CHECK(code_of(ErrorCode::total_timeout) == "RST_STREAM 1 CANCEL");
  CHECK(code_of(ErrorCode::protocol_error) == "RST_STREAM 1 PROTOCOL_ERROR");
  CHECK(code_of(ErrorCode::internal) == "RST_STREAM 1 INTERNAL_ERROR");
  CHECK(code_of(ErrorCode::connection_reset) == "RST_STREAM 1 INTERNAL_ERROR");
}

TEST_CASE("h2 server: a stream may be reset or answered from inside its own events") {
  H2Bench bench(Role::server);
  bench.events.when_data = [&](StreamId stream, size_t) { bench.codec.reset(stream, ErrorCode::internal); };
  bench.events.when_request = [&](StreamId stream) {
    if (stream == 1) return;
    bench.codec.reset(stream, ErrorCode::internal);
  };
  bench.feed(headers(1, kPost, 0) + data(1, "a") + data(1, "b", kEndStream) + headers(3, kGet));
  CHECK_FALSE(bench.error);
  CHECK(bench.events.received == "a");
  CHECK(bench.events.ends == 0);
  CHECK(bench.frames() == "RST_STREAM 1 INTERNAL_ERROR, RST_STREAM 3 INTERNAL_ERROR");
  CHECK(bench.codec.is_idle());
}

TEST_CASE("h2 server: a window that is closed holds bytes back, one that opens lets them go") {
  H2Bench bench(Role::server, {}, 1 << 20, setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 10));
  bench.feed(headers(1, kGet) + headers(3, kGet));
  for (StreamId stream : {1u, 3u}) {
    bench.codec.send_response(stream, bench.response(200), BodySize::known(15));
    bench.codec.send_data(stream, Slice::literal("123456789012345"));
    bench.codec.send_end(stream, nullptr);
  }
  CHECK(bench.frames() == "HEADERS 1, HEADERS 3, DATA 1 10, DATA 3 10");
  CHECK(bench.codec.held_back(1) == 5);
  CHECK(bench.events.unblocked.empty());
  bench.feed(window_update(3, 3));
  CHECK(bench.frames() == "DATA 3 3");
  CHECK(bench.codec.held_back(3) == 2);
  bench.feed(window_update(3, 3));
  CHECK(bench.frames() == "DATA 3 2 END");
  CHECK(bench.events.unblocked == std::vector<StreamId>{3});
  CHECK(bench.codec.held_back(1) == 5);
}

TEST_CASE("h2 server: a big answer leaves room for small ones when the connection's window is short") {
  H2Bench bench(Role::server, {}, 1 << 20, setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 20));
  bench.feed(headers(1, kGet) + headers(3, kGet));
  static const std::string big(500'000, 'x');
  bench.codec.send_response(1, bench.response(200), BodySize::known(big.size()));
  bench.codec.send_data(1, Slice::literal(big));
  bench.frames();  // all of the connection's window
  bench.codec.send_response(3, bench.response(200), BodySize::known(5));
  bench.codec.send_data(3, Slice::literal("small"));
  bench.codec.send_end(3, nullptr);
  CHECK(bench.frames() == "HEADERS 3");
  bench.feed(window_update(0, 40'000));
  CHECK(bench.frames() == "DATA 1 16384, DATA 3 5 END, DATA 1 16384, DATA 1 7227");
}

TEST_CASE("h2 server: windows open as bytes are consumed, not as they arrive") {
  H2Limits h2_limits;
  h2_limits.stream_window = h2_limits.widest_window = 100;
  BlockPool pool(16 * 1024);
  Output output(pool);
  Transcript events(pool);
  H2Codec codec(Role::server, {}, events, output, h2_limits);
  const auto window_updates = [&] {
    codec.flush();
    std::string sent;
    while (!output.is_empty()) sent += output.take_front().view();
    std::string text;
    for (std::string_view bytes = sent; bytes.size() >= 9;) {
      const size_t size = static_cast<uint8_t>(bytes[1]) * 256u + static_cast<uint8_t>(bytes[2]);
      if (bytes[3] == NGHTTP2_WINDOW_UPDATE) {
        text += std::to_string(bytes[8]) + "+" + std::to_string(static_cast<uint8_t>(bytes[12])) + " ";
      }
      bytes.remove_prefix(9 + size);
    }
    return text;
  };
  const auto feed = [&](const std::string& bytes) { return codec.feed(Slice::literal(bytes)).has_value(); };
  CHECK(feed(kMagic + settings() + settings_ack() + headers(1, kPost, 0)));
  window_updates();
  CHECK(feed(data(1, std::string(80, 'x'))));
  CHECK(window_updates() == "");
  codec.consumed(1, 80);
  CHECK(window_updates() == "1+80 ");
  SUBCASE("a peer that sends more than the window loses the stream or the connection") {
    (void)feed(data(1, std::string(101, 'x')));
    window_updates();
    CHECK(events.resets.size() == 1);
  }
}

TEST_CASE("h2 server: bytes of a finished stream count until they are consumed, those of a reset one don't") {
  const std::string body(1'000, 'x');
  const auto fill = [&](H2Bench& bench, StreamId stream) {
    bench.feed(headers(stream, kPost, 0));
    for (int i = 0; i < 15; ++i) bench.feed(data(stream, body));
    bench.feed(data(stream, "", kEndStream));
    bench.codec.send_response(stream, bench.response(200), BodySize::none());
    bench.sent();
  };
  SUBCASE("finished") {
    H2Bench bench(Role::server);
    StreamId stream = 1;
    for (; stream < 2000 && !bench.error; stream += 2) fill(bench, stream);
    CHECK(bench.error);  // past the connection's window
    CHECK(stream == 841);
  }
  SUBCASE("finished, and consumed later") {
    H2Bench bench(Role::server);
    for (StreamId stream = 1; stream < 2000; stream += 2) {
      fill(bench, stream);
      CHECK(bench.codec.is_idle());
      bench.codec.consumed(stream, 7'000);
      bench.codec.consumed(stream, 8'000);
    }
    CHECK_FALSE(bench.error);
  }
  SUBCASE("finished, and reset later") {
    H2Bench bench(Role::server);
    for (StreamId stream = 1; stream < 2000; stream += 2) {
      fill(bench, stream);
      bench.codec.reset(stream, ErrorCode::internal);
    }
    CHECK_FALSE(bench.error);
    CHECK(bench.frames() == "");
  }
  SUBCASE("reset by either side") {
    H2Bench bench(Role::server);
    for (StreamId stream = 1; stream < 200; stream += 2) {
      bench.feed(headers(stream, kPost, 0));
      for (int i = 0; i < 15; ++i) bench.feed(data(stream, body));
      if (stream % 4 == 1) bench.feed(rst_stream(stream, NGHTTP2_CANCEL));
      if (stream % 4 == 3) bench.codec.reset(stream, ErrorCode::internal);
      bench.codec.consumed(stream, 15'000);
      bench.sent();
    }
    CHECK_FALSE(bench.error);
  }
}

TEST_CASE("h2 server: uploads that nobody reads leave room for the other uploads of their connection") {
  H2Bench bench(Role::server);
  const std::string piece(1'000, 'x');
  const auto upload = [&](StreamId stream, size_t pieces) {
    for (size_t i = 0; i < pieces && !bench.error; ++i) bench.feed(data(stream, piece));
    bench.sent();
  };
  const H2Limits limits;
  for (StreamId stream = 1; stream < 2 * limits.streams - 1; stream += 2) {
    bench.feed(headers(stream, kPost, 0));
    upload(stream, 9);
    bench.codec.consumed(stream, 9'000);  // the window may widen now
    bench.codec.flush();
    upload(stream, limits.stream_window / 1'000 - 1);
  }
  const StreamId last = 2 * limits.streams - 1;
  bench.feed(headers(last, kPost, 0));
  for (int i = 0; i < 1'000; ++i) {
    upload(last, 9);
    bench.codec.consumed(last, 9'000);
  }
  CHECK_FALSE(bench.error);
  CHECK(bench.events.resets.empty());
}

TEST_CASE("h2 server: the window of a stream widens while its bytes are consumed, and others get it back at its end") {
  const H2Limits limits;
  H2Bench bench(Role::server);
  const auto widened = [&](StreamId stream) {
    bench.feed(headers(stream, kPost, 0));
    bench.sent();
    bench.feed(data(stream, std::string(9'000, 'x')));
    bench.codec.consumed(stream, 9'000);
    const std::string sent = bench.sent();
    uint64_t sum = 0;
    for (std::string_view bytes = sent; bytes.size() >= 9;) {
      const size_t size = static_cast<uint8_t>(bytes[1]) * 256u + static_cast<uint8_t>(bytes[2]);
      if (bytes[3] == NGHTTP2_WINDOW_UPDATE && static_cast<uint8_t>(bytes[8]) == stream) {
        for (size_t at = 9; at < 13; ++at) sum = sum % (1 << 24) * 256 + static_cast<uint8_t>(bytes[at]);
      }
      bytes.remove_prefix(9 + size);
    }
    return sum;
  };
  for (StreamId stream = 1; stream < 20; stream += 2) {
    CAPTURE(stream);
    CHECK(widened(stream) >= limits.widest_window - limits.stream_window);
    bench.feed(rst_stream(stream, NGHTTP2_CANCEL));
  }
  uint64_t all = 0;
  for (StreamId stream = 21; stream < 121; stream += 2) all += widened(stream);
  CHECK(all > limits.spare_window / 2);
  CHECK(all <= limits.spare_window + 50 * 9'000);
}

TEST_CASE("h2 server: GOAWAY comes in two steps, and what was on its way is served") {
  H2Bench bench(Role::server);
  bench.feed(headers(1, kGet));
  bench.codec.drain();
  bench.codec.drain();
  CHECK(bench.frames() == "GOAWAY 2147483647 NO_ERROR, PING");
  CHECK(bench.codec.is_reusable());
  bench.feed(headers(3, kGet));
  CHECK(bench.events.ends == 2);
  bench.feed(frame(NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, "draining"));
  CHECK_FALSE(bench.codec.is_reusable());
  CHECK(bench.frames() == "GOAWAY 3 NO_ERROR");
  bench.feed(headers(5, kGet));
  CHECK(bench.events.ends == 2);
  bench.respond(200);
  bench.codec.send_response(1, bench.response(204), BodySize::none());
  CHECK(bench.frames() == "HEADERS 3 END, HEADERS 1 END");
  CHECK(bench.codec.is_idle());
}

TEST_CASE("h2 server: an extended CONNECT asks for a tunnel, and a 101 grants it") {
  const auto connect = headers(1,
                               {{":method", "CONNECT"},
                                {":protocol", "websocket"},
                                {":scheme", "https"},
                                {":authority", "a"},
                                {":path", "/chat?x"},
                                {"sec-websocket-version", "13"}},
                               0);
  for (size_t fragment : kFragments) {
    H2Bench bench(Role::server, {}, fragment);
    CHECK(bench.codec.can_tunnel());
    bench.feed(connect);
    CHECK(bench.events.events() == "request 1 GET a /chat?x tunnel\n  sec-websocket-version=13\n  Host=a\n");
    CHECK(bench.events.requests.back().protocol == "websocket");
    CHECK(bench.events.requests.back().method == Method::get);
    SUBCASE("granted") {
      auto head = bench.response(101);
      head.headers.add("Upgrade", "websocket");
      bench.codec.send_response(1, head, BodySize::tunnel());
      bench.codec.send_data(1, Slice::literal("raw"));
      CHECK(bench.frames() == "HEADERS 1, DATA 1 3");
      bench.feed(data(1, "raw too"));
      CHECK(bench.events.received == "raw too");
      bench.codec.send_end(1, nullptr);
      CHECK(bench.frames() == "DATA 1 0 END");
      bench.feed(data(1, " and more", kEndStream));
      CHECK(bench.events.received == "raw too and more");
      CHECK(bench.events.ends == 1);
      CHECK(bench.codec.is_idle());
    }
    SUBCASE("not granted") {
      bench.respond(403, "no");
      CHECK(bench.frames() == "HEADERS 1, DATA 1 2 END");
      bench.codec.reset(1, ErrorCode::client_gone);
      CHECK(bench.frames() == "RST_STREAM 1 NO_ERROR");
      CHECK(bench.codec.is_idle());
    }
  }
}

TEST_CASE("h2 server: a plain CONNECT is reported like HTTP/1.1's, for policy to refuse") {
  H2Bench bench(Role::server);
  bench.feed(headers(1, {{":method", "CONNECT"}, {":authority", "a:443"}}, 0));
  CHECK(bench.events.requests.back().method == Method::connect);
  CHECK(bench.events.events() == "request 1 CONNECT a:443  +?\n  Host=a:443\n");
  bench.respond(405);
  CHECK(bench.frames() == "HEADERS 1 END");
}

TEST_CASE("h2 server: a FIN or a broken rule ends every stream") {
  H2Bench bench(Role::server);
  bench.feed(headers(1, kGet) + headers(3, kPost, 0));
  SUBCASE("FIN") {
    bench.feed_end();
    REQUIRE(bench.error);
    CHECK(name_of(bench.error->code) == "client_gone");
  }
  SUBCASE("broken rule") {
    bench.feed(data(0, "x"));
    REQUIRE(bench.error);
    CHECK(name_of(bench.error->code) == "bad_request");
    CHECK(bench.frames() == "GOAWAY 3 PROTOCOL_ERROR");
    CHECK(bench.feed(headers(5, kGet)) == 0);
  }
  CHECK(bench.events.resets.size() == 2);
  CHECK(bench.codec.is_idle());
  CHECK_FALSE(bench.codec.is_reusable());
  bench.respond(200);
  bench.codec.reset(3, ErrorCode::internal);
  CHECK(bench.frames() == "");
}

TEST_CASE("h2 server: an end that a closed window keeps back is not in the output") {
  H2Bench bench(Role::server, {}, 1 << 20, h2::setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 5));
  bench.feed(headers(1, kGet));
  bench.codec.send_response(1, bench.response(200), BodySize::unknown());
  bench.codec.send_data(1, Slice::literal("hello"));
  CHECK(bench.frames() == "HEADERS 1, DATA 1 5");
  bench.codec.send_end(1, nullptr);
  CHECK(bench.frames() == "");
  CHECK(bench.codec.held_back(1) == 0);
  CHECK(bench.codec.is_holding(1));
  CHECK(bench.codec.window_end(1) == bench.output.consumed());
  bench.feed(h2::window_update(1, 1));
  CHECK(bench.codec.window_end(1) == UINT64_MAX);
  CHECK(bench.frames() == "DATA 1 0 END");
  CHECK_FALSE(bench.codec.is_holding(1));
}

TEST_CASE("h2 server: what a window keeps back waits for the stream's own bytes, or for those of all streams") {
  H2Bench bench(Role::server, {}, 1 << 20, h2::setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 40'000));
  const std::string text(60'000, 'x');
  const auto respond = [&](StreamId id) {
    bench.feed(headers(id, kGet));
    bench.codec.send_response(id, bench.response(200), BodySize::unknown());
    bench.codec.send_data(id, Slice::literal(text));
    bench.sent();
    return bench.output.consumed();
  };
  const auto first = respond(1);   // its own window is used up
  const auto second = respond(3);  // that of the connection is
  CHECK(bench.codec.window_end(1) == first);
  CHECK(bench.codec.window_end(3) == second);
  bench.feed(h2::window_update(0, 100));
  bench.sent();
  CHECK(bench.codec.window_end(1) == first);
  CHECK(bench.codec.window_end(3) == bench.output.consumed());
  CHECK(bench.codec.window_end(5) == UINT64_MAX);
}

TEST_CASE("h2 server: bytes that lie in no block are copied on their way out, since their owner may go first") {
  H2Bench bench(Role::server);
  bench.feed(h2::headers(1, h2::kGet));
  ResponseHead head(bench.arena);
  head.status = 200;
  std::string text(10'000, 'a');
  bench.codec.send_response(1, head, BodySize::known(text.size()));
  bench.codec.send_data(1, Slice::literal(text));
  bench.codec.send_end(1, nullptr);
  bench.codec.flush();
  CHECK(bench.codec.held_back(1) == 0);
  text.assign(text.size(), 'b');
  CHECK(bench.sent().find("bbbb") == std::string::npos);
}

TEST_CASE("h2 server: a connection that has rested goes on as before") {
  H2Bench bench(Role::server);
  for (StreamId stream = 1; stream < 10; stream += 2) {
    bench.feed(headers(stream, kGet));
    bench.codec.send_response(stream, bench.response(200), BodySize::known(2));
    bench.codec.send_data(stream, Slice::literal("ok"));
    bench.codec.send_end(stream, nullptr);
    const auto id = std::to_string(stream);
    CHECK(bench.frames() == "HEADERS " + id + ", DATA " + id + " 2 END");
    bench.codec.rest();
    bench.codec.rest();
  }
  CHECK_FALSE(bench.error);
}

TEST_CASE("h2 server: what both sides remember of fields outlasts a rest") {
  enum class Rests : bool { no, yes };
  const auto conversation = [](Rests rests) {
    H2Bench bench(Role::server);
    std::string said;
    for (StreamId stream = 1; stream < 10; stream += 2) {
      const auto remembered = '\x40' + integer(3, 7) + "x-a" + integer(1, 7) + "1";  // RFC 7541 section 6.2.1
      const std::string indexed("\xbe");                                             // the newest of the table
      bench.feed(
          frame(NGHTTP2_HEADERS, kEndStream | kEndHeaders, stream, block(kGet) + (stream == 1 ? remembered : indexed)));
      REQUIRE_FALSE(bench.error);
      auto response = bench.response(200);
      response.headers.add("x-long", "a value that is sent once and remembered");
      bench.codec.send_response(stream, response, BodySize::none());
      said += bench.sent();
      if (rests == Rests::yes) bench.codec.rest();
    }
    return bench.events.events() + said;
  };
  const auto awake = conversation(Rests::no);
  CHECK(awake.contains("x-a=1"));
  CHECK(conversation(Rests::yes) == awake);
}

TEST_CASE("h2 server: a connection of many streams at once rests, too") {
  H2Bench bench(Role::server);
  for (int round = 0; round < 3; ++round) {
    const StreamId first = 1 + 200 * round;
    for (StreamId stream = first; stream < first + 200; stream += 2) bench.feed(headers(stream, kGet));
    for (StreamId stream = first; stream < first + 200; stream += 2) {
      bench.codec.send_response(stream, bench.response(204), BodySize::none());
    }
    bench.frames();
    REQUIRE_FALSE(bench.error);
    CHECK(bench.codec.is_idle());
    bench.codec.rest();
  }
  CHECK(bench.codec.is_reusable());
}

TEST_CASE("h2 server: short pieces that a client doesn't take yet lie in as few blocks as they need") {
  H2Bench bench(Role::server, {}, 1 << 20, setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0));
  bench.feed(headers(1, kGet) + headers(3, kGet));
  for (const StreamId stream : {1, 3}) bench.codec.send_response(stream, bench.response(200), BodySize::unknown());
  bench.frames();
  const auto before = bench.pool.in_use();
  for (int i = 0; i < 16'000; ++i) {
    for (const StreamId stream : {1, 3}) bench.codec.send_data(stream, Slice::literal("x"));
    bench.codec.flush();
  }
  CHECK(bench.pool.in_use() - before <= 2 * (16'000 / bench.pool.block_size() + 1) + 2);
  bench.feed(window_update(1, 20'000) + window_update(3, 20'000));
  CHECK(bench.frames() == "DATA 1 16000, DATA 3 16000");
}

TEST_CASE("h2 server: doesn't rest while a stream is open or something is to be sent") {
  H2Bench bench(Role::server);
  bench.feed(headers(1, kGet));
  bench.codec.rest();
  bench.codec.send_response(1, bench.response(200), BodySize::known(2));
  bench.codec.rest();
  bench.codec.send_data(1, Slice::literal("ok"));
  bench.codec.send_end(1, nullptr);
  CHECK(bench.frames() == "HEADERS 1, DATA 1 2 END");
  bench.feed(ping());
  bench.codec.rest();
  CHECK(bench.frames() == "PONG");
}

}  // namespace weir::http
