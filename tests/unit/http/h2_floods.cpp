#include <doctest/doctest.h>

#include "h2_bench.h"

namespace weir::http {

using namespace h2;

namespace {

std::string times(int count, const std::string& frame) {
  std::string frames;
  for (int i = 0; i < count; ++i) frames += frame;
  return frames;
}

/// Feeds one read after the other, as a connection does, and answers each.
void feed_in_reads(H2Bench& bench, std::string_view bytes) {
  while (!bytes.empty() && !bench.error) {
    const auto piece = bytes.substr(0, 2048);
    bench.feed(piece);
    bench.codec.flush();
    bytes.remove_prefix(piece.size());
  }
}

void calms(const std::string& frames, std::string_view what) {
  CAPTURE(what);
  H2Bench bench(Role::server);
  bench.feed(headers(1, kPost, 0));
  feed_in_reads(bench, frames);
  REQUIRE(bench.error);
  CHECK(bench.error->detail.contains(what));
  CHECK(bench.frames().ends_with("ENHANCE_YOUR_CALM"));
  CHECK(bench.events.resets.size() >= 1);
  CHECK_FALSE(bench.codec.is_reusable());
}

}  // namespace

TEST_CASE("h2: frames that carry nothing, in masses, are a flood") {
  calms(times(3000, ping()), "carry nothing");
  calms(times(3000, frame(NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, "12345678")), "carry nothing");
  calms(times(3000, settings()), "carry nothing");
  calms(times(3000, settings(setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1))), "carry nothing");
  calms(times(3000, window_update(0, 1)), "carry nothing");
  calms(times(3000, window_update(1, 1)), "carry nothing");
  calms(times(3000, data(1, "")), "carry nothing");
  calms(times(3000, frame(NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, std::string("\x03\0\0\0", 4))), "carry nothing");
  calms(times(3000, frame(NGHTTP2_PRIORITY, 0, 1, std::string("\0\0\0\0\x10", 5))), "carry nothing");
}

TEST_CASE("h2: rapid reset is a flood") {
  std::string frames;
  for (StreamId stream = 3; stream < 1000; stream += 2) {
    frames += headers(stream, kGet) + rst_stream(stream, NGHTTP2_CANCEL);
  }
  calms(frames, "resets");
}

TEST_CASE("h2: masses of malformed streams are a flood") {
  std::string frames;
  for (StreamId stream = 3; stream < 1000; stream += 2) frames += headers(stream, {{":method", "GET"}});
  calms(frames, "malformed");
  frames = "";
  for (StreamId stream = 3; stream < 1000; stream += 2) {
    frames += headers(stream, with(kGet, {{"host", "b"}}));
  }
  calms(frames, "malformed");
  frames = "";
  for (StreamId stream = 3; stream < 1000; stream += 2) {
    frames += headers(stream, with(kPost, {{"content-length", "1"}}), 0) + data(stream, "xy");
  }
  calms(frames, "malformed");
}

TEST_CASE("h2: a header block without an end is a flood") {
  calms(frame(NGHTTP2_HEADERS, kEndStream, 3, block(kGet)) +
            times(100, frame(NGHTTP2_CONTINUATION, 0, 3, block({{"x", "y"}}))),
        "CONTINUATION");
  calms(frame(NGHTTP2_HEADERS, kEndStream, 3, block(kGet)) + times(100, frame(NGHTTP2_CONTINUATION, 0, 3)),
        "CONTINUATION");
}

TEST_CASE("h2: a header block that decodes to far more than its size is a flood") {
  // One large field in the dynamic table, then an index of one byte for it, again and again.
  const std::string field = '\x40' + integer(1, 7) + "x" + integer(3900, 7) + std::string(3900, 'v');
  calms(frame(NGHTTP2_HEADERS, kEndHeaders, 3, block(kGet) + field + times(10'000, "\xbe")), "decodes");
}

TEST_CASE("h2: a long-lived peer that pings, resets what was answered and updates windows is no flood") {
  H2Bench bench(Role::server);
  for (int i = 0; i < 20'000; ++i) {
    bench.feed(ping() + window_update(0, 1));
    bench.sent();
  }
  REQUIRE_FALSE(bench.error);
  for (StreamId stream = 1; stream < 5000; stream += 2) {
    bench.feed(headers(stream, kGet));
    bench.codec.send_response(stream, bench.response(200), BodySize::unknown());
    bench.sent();
    bench.feed(rst_stream(stream, NGHTTP2_CANCEL));
  }
  REQUIRE_FALSE(bench.error);
  StreamId stream = 5001;
  for (int i = 0; i < 1000; ++i) {  // every other request is given up
    bench.feed(headers(stream, kGet) + headers(stream + 2, kGet) + rst_stream(stream, NGHTTP2_CANCEL));
    bench.respond(200, "ok");
    bench.sent();
    stream += 4;
  }
  REQUIRE_FALSE(bench.error);
  bench.feed(headers(stream, kPost, 0));
  for (int i = 0; i < 5000; ++i) bench.feed(times(20, data(stream, "x")));
  CHECK_FALSE(bench.error);
}

}  // namespace weir::http
