#include <doctest/doctest.h>

#include "h2_bench.h"

namespace weir::http {

using namespace h2;

namespace {

Fields without(const std::string& name) {
  Fields fields;
  for (const auto& field : kGet) {
    if (field.name != name) fields.push_back(field);
  }
  return fields;
}

Fields changed(const std::string& name, const std::string& value) {
  auto fields = kGet;
  for (auto& field : fields) {
    if (field.name == name) field.value = value;
  }
  return fields;
}

/// The request costs its stream, in any fragmentation, and the stream alone.
void refuses(const std::string& frames, HeadLimits limits = {}) {
  for (size_t fragment : kFragments) {
    CAPTURE(fragment);
    H2Bench bench(Role::server, limits, fragment);
    bench.feed(frames);
    CHECK_FALSE(bench.error);
    CHECK(bench.frames() == "RST_STREAM 1 PROTOCOL_ERROR");
    REQUIRE(bench.events.resets.size() == 1);
    CHECK(name_of(bench.events.resets[0].code) == "bad_request");
    CHECK(bench.events.resets[0].side == Side::client);
    CHECK_FALSE(bench.events.resets[0].detail.empty());
    CHECK(bench.events.ends == 0);
    bench.feed(headers(3, kGet));
    CHECK(bench.events.ends == 1);
    CHECK(bench.codec.is_reusable());
  }
}
void refuses(const Fields& fields, HeadLimits limits = {}) {
  CAPTURE(block(fields));
  refuses(headers(1, fields), limits);
}

/// The bytes cost the connection, with that code.
void breaks(const std::string& frames, std::string_view code) {
  for (size_t fragment : kFragments) {
    CAPTURE(fragment);
    H2Bench bench(Role::server, {}, fragment);
    bench.feed(frames);
    CAPTURE(frames);
    REQUIRE(bench.error);
    CHECK(name_of(bench.error->code) == "bad_request");
    CHECK_FALSE(bench.error->detail.empty());
    CHECK_FALSE(bench.codec.is_reusable());
    const auto sent = bench.frames();
    CHECK(sent.substr(sent.rfind(' ') + 1) == code);
  }
}

}  // namespace

TEST_CASE("h2: pseudo-fields that are missing, repeated, misplaced or unknown are malformed") {
  for (const char* name : {":method", ":scheme", ":path"}) refuses(without(name));
  for (const auto& field : kGet) refuses(with({field}, kGet));
  refuses(without(":authority"));  // and no Host
  refuses(with({{"x", "y"}}, kGet));
  refuses(with(kGet, {{":x", "y"}}));
  refuses(with(kGet, {{":status", "200"}}));
  refuses(with(kGet, {{":protocol", "websocket"}}));
  refuses({{":method", "CONNECT"}});
  refuses({{":method", "CONNECT"}, {":authority", "a"}});
  refuses({{":method", "CONNECT"}, {":authority", "a:1"}, {":path", "/"}});
  refuses({{":method", "CONNECT"}, {":protocol", "websocket"}, {":authority", "a"}});
}

TEST_CASE("h2: fields of the connection are malformed") {
  for (const char* name : {"connection", "keep-alive", "proxy-connection", "upgrade"}) {
    refuses(with(kGet, {{name, "x"}}));
  }
  refuses(with(kGet, {{"transfer-encoding", "chunked"}}));
  refuses(with(kGet, {{"te", "gzip"}}));
  refuses(with(kGet, {{"te", "trailers, gzip"}}));
}

TEST_CASE("h2: bytes that no name or value has are malformed") {
  for (const char* name : {"X", "xY", "x y", "x:y", "x\ty", "x\x01", "x\x7f", "x\xe9", "", "x(", "x,"}) {
    refuses(with(kGet, {{name, "v"}}));
  }
  refuses(with(kGet, {{std::string("x\0y", 3), "v"}}));
  for (const auto& value : {std::string("a\rb"), std::string("a\nb"), std::string("a\0b", 3), std::string(" a"),
                            std::string("a "), std::string("\ta"), std::string("a\x01"), std::string("a\x7f")}) {
    refuses(with(kGet, {{"x", value}}));
  }
  refuses(changed(":method", "G T"));
  refuses(changed(":method", ""));
  HeadLimits strict;
  strict.underscores = HeadLimits::Underscores::reject;
  refuses(with(kGet, {{"x_y", "v"}}), strict);
}

TEST_CASE("h2: a target is what HTTP/1.1 takes for one") {
  for (const char* path : {"", "x", "*", "http://a/", "/a b", "/a#b", "/\x01", "/\xc3\xa9", "//\x7f"}) {
    refuses(changed(":path", path));
  }
  for (const char* scheme : {"", "ftp", "h\xe9"}) refuses(changed(":scheme", scheme));
}

TEST_CASE("h2: an authority is one host, without userinfo, and Host agrees with it") {
  for (const char* authority : {"", "u@a", "u:p@a", "a:b", "a:99999", "[::1", "a/b", "a b"}) {
    refuses(changed(":authority", authority));
    refuses(with(without(":authority"), {{"host", authority}}));
  }
  refuses(with(kGet, {{"host", "b"}}));
  refuses(with(kGet, {{"host", "a:80"}}));
  refuses(with(kGet, {{"host", "a"}, {"host", "a"}}));
  H2Bench bench(Role::server);
  bench.feed(headers(1, with(kGet, {{"host", "A"}})));
  CHECK(bench.events.events() == "request 1 GET a /\n  host=a\nend\n");
}

TEST_CASE("h2: Content-Length is one number, and that of the body") {
  for (const char* length : {"", "x", "-1", "+1", "0x1", "1, 1", "99999999999999999999"}) {
    refuses(headers(1, with(kPost, {{"content-length", length}}), 0));
  }
  refuses(headers(1, with(kPost, {{"content-length", "1"}, {"content-length", "1"}}), 0));
  refuses(headers(1, with(kPost, {{"content-length", "1"}})));
  for (const auto& body : {data(1, "abcd"), data(1, "ab", kEndStream), data(1, "ab") + data(1, "cd")}) {
    for (size_t fragment : kFragments) {
      H2Bench bench(Role::server, {}, fragment);
      bench.feed(headers(1, with(kPost, {{"content-length", "3"}}), 0) + body);
      CHECK_FALSE(bench.error);
      CHECK(bench.frames() == "RST_STREAM 1 PROTOCOL_ERROR");
      CHECK(bench.events.ends == 0);
      REQUIRE(bench.events.resets.size() == 1);
      CHECK(name_of(bench.events.resets[0].code) == "bad_request");
    }
  }
}

TEST_CASE("h2: trailers end the stream and have no pseudo-fields") {
  const auto begun = headers(1, kPost, 0) + data(1, "x");
  for (const auto& trailers : {headers(1, {{"x", "y"}}, 0), headers(1, {{":path", "/"}}), headers(1, {{"X", "y"}})}) {
    H2Bench bench(Role::server);
    bench.feed(begun + trailers);
    CHECK(bench.frames() == "RST_STREAM 1 PROTOCOL_ERROR");
    CHECK(bench.events.ends == 0);
    CHECK(bench.events.resets.size() == 1);
  }
}

TEST_CASE("h2: a head that is too large is answered with its status") {
  HeadLimits limits;
  limits.head_bytes = 2000;
  limits.request_line = 100;
  limits.fields = 3;
  const auto answer = [&](const Fields& fields, uint8_t flags = kEndStream) {
    H2Bench bench(Role::server, limits);
    bench.feed(headers(1, fields, flags));
    CHECK(bench.events.resets.size() == 1);
    CHECK(bench.events.ends == 0);
    CHECK_FALSE(bench.error);
    auto frames = bench.frames();
    bench.feed(flags ? "" : data(1, "late"));
    if (const auto later = bench.frames(); !later.empty()) frames += " | " + later;
    CHECK(bench.events.received == "");
    CHECK(bench.codec.is_idle());
    CHECK(bench.codec.is_reusable());
    return std::string(name_of(bench.events.resets.at(0).code)) + ": " + frames;
  };
  CHECK(answer(with(kGet, {{"x", std::string(2000, 'x')}})) == "head_too_large: HEADERS 1 END");
  CHECK(answer(with(kGet, {{"x", std::string(2000, 'x')}}), 0) ==
        "head_too_large: HEADERS 1 END | RST_STREAM 1 NO_ERROR");
  CHECK(answer(with(kGet, {{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}})) == "head_too_large: HEADERS 1 END");
  CHECK(answer(changed(":path", "/" + std::string(100, 'x'))) == "uri_too_long: HEADERS 1 END");
}

TEST_CASE("h2: names with underscores are dropped unless the limits say otherwise") {
  H2Bench bench(Role::server);
  bench.feed(headers(1, with(kGet, {{"x_y", "v"}})));
  CHECK(bench.events.events() == "request 1 GET a /\n  Host=a\nend\n");
  HeadLimits limits;
  limits.underscores = HeadLimits::Underscores::keep;
  H2Bench lenient(Role::server, limits);
  lenient.feed(headers(1, with(kGet, {{"x_y", "v"}})));
  CHECK(lenient.events.events() == "request 1 GET a /\n  x_y=v\n  Host=a\nend\n");
}

TEST_CASE("h2: what breaks the connection's own rules ends it with the RFC's code") {
  breaks(data(0, "x"), "PROTOCOL_ERROR");
  breaks(headers(0, kGet), "PROTOCOL_ERROR");
  breaks(headers(2, kGet), "PROTOCOL_ERROR");
  breaks(data(1, "x"), "PROTOCOL_ERROR");
  breaks(rst_stream(1, NGHTTP2_CANCEL), "PROTOCOL_ERROR");
  breaks(window_update(0, 0), "PROTOCOL_ERROR");
  breaks(window_update(0, 0x7fffffff), "FLOW_CONTROL_ERROR");
  breaks(window_update(1, 1), "PROTOCOL_ERROR");
  breaks(frame(NGHTTP2_PING, 0, 0, "short"), "FRAME_SIZE_ERROR");
  breaks(frame(NGHTTP2_PING, 0, 1, "12345678"), "PROTOCOL_ERROR");
  breaks(frame(NGHTTP2_SETTINGS, 0, 0, "short"), "FRAME_SIZE_ERROR");
  breaks(frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, "123456"), "FRAME_SIZE_ERROR");
  breaks(settings(setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0x80000000)), "FLOW_CONTROL_ERROR");
  breaks(settings(setting(NGHTTP2_SETTINGS_MAX_FRAME_SIZE, 1)), "PROTOCOL_ERROR");
  breaks(frame(NGHTTP2_PUSH_PROMISE, kEndHeaders, 1, number(2, 4)), "PROTOCOL_ERROR");
  breaks(frame(NGHTTP2_CONTINUATION, kEndHeaders, 1), "PROTOCOL_ERROR");
  breaks(frame(NGHTTP2_HEADERS, kEndStream, 1, block(kGet)) + ping(), "PROTOCOL_ERROR");
  breaks(frame(NGHTTP2_HEADERS, kEndHeaders, 1, "\xff\xff\xff\xff\xff"), "COMPRESSION_ERROR");
  breaks(frame(NGHTTP2_DATA, 0, 1, std::string(16385, 'x')), "FRAME_SIZE_ERROR");
  breaks(frame(NGHTTP2_PRIORITY, 0, 0, std::string(5, '\0')), "PROTOCOL_ERROR");
  breaks(frame(NGHTTP2_PRIORITY_UPDATE, 0, 0, number(0, 4) + "u=1"), "PROTOCOL_ERROR");
}

TEST_CASE("h2: heads on streams below the last one, or behind the end of their stream, break the connection") {
  breaks(headers(5, kGet) + headers(3, kGet), "PROTOCOL_ERROR");
  breaks(headers(1, kPost, 0) + rst_stream(1, NGHTTP2_CANCEL) + headers(1, kGet), "STREAM_CLOSED");
  for (size_t fragment : kFragments) {
    H2Bench bench(Role::server, {}, fragment);
    bench.feed(headers(1, kGet));
    bench.codec.send_response(1, bench.response(204), BodySize::none());
    CHECK(bench.frames() == "HEADERS 1 END");
    bench.feed(headers(1, kGet));
    REQUIRE(bench.error);
    CHECK(bench.error->detail == "HEADERS on a closed stream");
    CHECK(bench.frames().ends_with("STREAM_CLOSED"));
    CHECK(bench.events.requests.size() == 1);
  }
}

TEST_CASE("h2: trailers that cross a reset are ignored, once") {
  for (size_t fragment : kFragments) {
    H2Bench bench(Role::server, {}, fragment);
    bench.feed(headers(1, kPost, 0));
    bench.codec.reset(1, ErrorCode::internal);
    CHECK(bench.frames() == "RST_STREAM 1 INTERNAL_ERROR");
    bench.feed(data(1, "x") + headers(1, {{"a", "b"}}) + headers(3, kGet));
    CHECK_FALSE(bench.error);
    CHECK(bench.events.requests.size() == 2);
    bench.feed(headers(1, {{"a", "b"}}));
    CHECK(bench.error);
  }
}

TEST_CASE("h2: what crosses the last GOAWAY is ignored") {
  H2Bench bench(Role::server);
  bench.feed(headers(1, kPost, 0));
  bench.codec.drain();
  bench.sent();
  bench.feed(frame(NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, "draining"));
  CHECK(bench.frames() == "GOAWAY 1 NO_ERROR");
  bench.feed(headers(3, kPost, 0) + headers(3, {{"a", "b"}}) + data(1, "x", kEndStream));
  CHECK_FALSE(bench.error);
  CHECK(bench.events.events() == "request 1 POST a / +?\n  Host=a\ndata x\nend\n");
}

TEST_CASE("h2: a body's last bytes are reported with its end, when Content-Length is known to be right") {
  for (size_t fragment : kFragments) {
    H2Bench bench(Role::server, {}, fragment);
    bench.feed(headers(1, with(kPost, {{"content-length", "3"}}), 0) + data(1, "ab"));
    CHECK(bench.events.received == "ab");
    bench.feed(data(1, "c"));
    CHECK(bench.events.received == "ab");
    bench.feed(data(1, "", kEndStream));
    CHECK(bench.events.events() == "request 1 POST a / +3\n  content-length=3\n  Host=a\ndata abc\nend\n");

    H2Bench empty(Role::server, {}, fragment);
    empty.feed(headers(1, with(kPost, {{"content-length", "0"}}), 0));
    CHECK(empty.events.events().empty());
    CHECK_FALSE(empty.codec.is_reading_head(1));
    empty.feed(data(1, "", kEndStream));
    CHECK(empty.events.events() == "request 1 POST a / +0\n  content-length=0\n  Host=a\nend\n");

    H2Bench more(Role::server, {}, fragment);
    more.feed(headers(1, with(kPost, {{"content-length", "0"}}), 0) + data(1, "x"));
    CHECK(more.frames() == "RST_STREAM 1 PROTOCOL_ERROR");
    CHECK(more.events.events() == "reset 1 bad_request\n");
  }
}

TEST_CASE("h2: bytes that aren't HTTP/2 break the connection") {
  for (const auto& bytes : {std::string("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), std::string("\x16\x03\x01\x02"),
                            kMagic + ping(), kMagic + headers(1, kGet)}) {
    for (size_t fragment : kFragments) {
      BenchOf<H2Codec> bench(Role::server, {}, fragment);
      bench.feed(bytes);
      REQUIRE(bench.error);
      CHECK(name_of(bench.error->code) == "bad_request");
      CHECK(bench.events.text == "");
    }
  }
}

}  // namespace weir::http
