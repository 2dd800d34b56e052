#include <doctest/doctest.h>
#include <fmt/format.h>

#include "plugins/grpc_web/web_body.h"
#include "unit/plugins/bench.h"
#include "unit/task_bench.h"

using namespace weir;
using namespace weir::plugins;
using namespace std::string_literals;

namespace {

const auto kMessage = "\0\0\0\0\x05hello"s;
const auto kTrailers = "\x80\0\0\0\x1egrpc-status: 0\r\nx-more: 1, 2\r\n"s;

std::vector<std::string> pieces_of(std::string_view text, size_t size) {
  std::vector<std::string> pieces;
  for (; !text.empty(); text.remove_prefix(std::min(size, text.size()))) pieces.emplace_back(text.substr(0, size));
  return pieces;
}

constexpr size_t kFragments[] = {1, 2, 3, 7, 31, SIZE_MAX};

std::string base64(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4, '\0');
  REQUIRE(encode_base64(bytes, text.data()) == text.size());
  return text;
}

std::string decoded(std::string_view text) {
  std::string bytes(text.size() / 4 * 3, '\0');
  const auto size = Base64Decoder().decode(text, bytes.data());
  REQUIRE(size);
  return bytes.substr(0, *size);
}

/// A service that answers a message and trailers, and keeps what it was sent.
struct Service : Origin {
  Task<> handle(Exchange& exchange) const override {
    auto& arena = exchange.arena();
    for (const auto& header : exchange.request.headers) seen += fmt::format("{}: {}\n", header.name, header.value);
    const auto body = co_await exchange.request_body->whole(1 << 20);
    if (!body) {
      exchange.fail(body.error());
      co_return;
    }
    received = *body;
    exchange.respond(200, "application/grpc+proto");
    if (!has_messages) co_return exchange.response.head.headers.add("grpc-status", "5");
    auto pieces = make_in<PiecesBody>(arena, arena, pieces_of(kMessage, fragment));
    pieces->error = error;
    auto& trailers = arena.make<http::Headers>(arena);
    trailers.add("grpc-status", "0");
    trailers.add("x-more", "1, 2");
    pieces->trailers = &trailers;
    exchange.response.body = std::move(pieces);
  }
  mutable std::string seen;
  mutable std::string received;
  size_t fragment = SIZE_MAX;
  bool has_messages = true;
  std::optional<Error> error;
};

struct Bench : ExchangeBench {
  std::shared_ptr<Service> service = std::make_shared<Service>();
  Chain chain;

  explicit Bench(std::string_view content_type) {
    config::Problems problems;
    StateSlots slots;
    FilterMetrics metrics;
    FilterContext context{problems, slots, metrics, "test"};
    const auto document = config::load_text("weir.yaml", "filters: [grpc_web]", problems);
    config::Tables tables;
    tables.add(plugins::filters());
    auto list = config::decode_document<FilterList>(document, problems, tables);
    REQUIRE(problems.empty());
    chain = Chain({{"grpc_web", list.filters[0].value(context)}}, service);
    exchange.request.headers.add("content-type", content_type);
    exchange.request.method = http::Method::post;
  }
  void send(std::string_view body, size_t fragment = SIZE_MAX) {
    exchange.request_body = make_in<PiecesBody>(arena, arena, pieces_of(body, fragment));
    finished(chain.run(exchange));
  }
};

}  // namespace

TEST_CASE("base64: any bytes come back, in any pieces") {
  std::string bytes;
  for (int i = 0; i < 1000; ++i) bytes.push_back(static_cast<char>(i * 7));
  for (size_t size = 0; size < 10; ++size) CHECK(decoded(base64(bytes.substr(0, size))) == bytes.substr(0, size));
  for (const size_t fragment : kFragments) {
    CAPTURE(fragment);
    Base64Decoder decoder;
    std::string back;
    for (const auto& piece : pieces_of(base64(bytes), fragment)) {
      std::string room(piece.size() + 3, '\0');
      back += room.substr(0, decoder.decode(piece, room.data()).value());
    }
    CHECK(decoder.is_whole());
    CHECK(back == bytes);
  }
}

TEST_CASE("base64: the vectors of RFC 4648") {
  CHECK(base64("f") == "Zg==");
  CHECK(base64("fo") == "Zm8=");
  CHECK(base64("foobar") == "Zm9vYmFy");
}

TEST_CASE("base64: padding may come in the middle, between texts that were joined") {
  CHECK(decoded("Zg==Zm8=Zm9v") == "ffofoo");
}

TEST_CASE("base64: what isn't is refused") {
  char room[64];
  for (const auto* wrong : {"Zm9v!", "Z===", "=", "Zg=v", "Zm9 v", "Zm-_"}) {
    CAPTURE(wrong);
    CHECK_FALSE(Base64Decoder().decode(wrong, room));
  }
}

TEST_CASE("grpc_web: a call goes on as gRPC, and its trailers come back as the last message") {
  for (const size_t fragment : kFragments) {
    CAPTURE(fragment);
    Bench bench("application/grpc-web+proto");
    bench.service->fragment = fragment;
    bench.send(kMessage, fragment);
    CHECK(bench.service->seen == "content-type: application/grpc+proto\nte: trailers\n");
    CHECK(bench.service->received == kMessage);
    CHECK(bench.response_field("content-type") == "application/grpc-web+proto");
    CHECK(bench.body() == kMessage + kTrailers);
    CHECK(bench.exchange.record.grpc_status == 0);
  }
}

TEST_CASE("grpc_web: in base64 both ways, in any pieces") {
  for (const size_t fragment : kFragments) {
    CAPTURE(fragment);
    Bench bench("application/grpc-web-text");
    bench.service->fragment = fragment;
    bench.send(base64(kMessage.substr(0, 4)) + base64(kMessage.substr(4)), fragment);
    CHECK(bench.service->received == kMessage);
    CHECK(bench.response_field("content-type") == "application/grpc-web-text+proto");
    CHECK(decoded(bench.body()) == kMessage + kTrailers);
  }
}

TEST_CASE("grpc_web: a request that is no POST is no call, whatever its content type says") {
  Bench bench("application/grpc-web");
  bench.exchange.request.method = http::Method::get;
  bench.exchange.request.headers.add("grpc-timeout", "1m");
  bench.send("");
  CHECK(bench.service->seen.contains("content-type: application/grpc-web\n"));
  CHECK(bench.exchange.call == GrpcForm::none);
  CHECK(bench.exchange.deadline == Time::max());
}

TEST_CASE("grpc_web: Accept decides in which form the answer comes") {
  Bench bench("application/grpc-web");
  bench.exchange.request.headers.add("accept", "application/grpc-web-text");
  bench.send(kMessage);
  CHECK(decoded(bench.body()) == kMessage + kTrailers);
}

TEST_CASE("grpc_web: a large message goes through in blocks") {
  std::string large(100'000, 'x');
  Bench bench("application/grpc-web-text");
  bench.send(base64(large));
  CHECK(bench.service->received == large);
}

TEST_CASE("grpc_web: a request that isn't base64, or not all of it, is the client's fault") {
  for (const auto* wrong : {"no base64", "Zm9vYg", "Z"}) {
    CAPTURE(wrong);
    Bench bench("application/grpc-web-text");
    bench.send(wrong);
    CHECK(bench.exchange.failure->code == ErrorCode::bad_request);
    CHECK(bench.request_field("content-type") == "application/grpc-web-text");
  }
}

TEST_CASE("grpc_web: an answer without messages keeps its status in the head") {
  Bench bench("application/grpc-web");
  bench.service->has_messages = false;
  bench.send(kMessage);
  CHECK(bench.response_field("grpc-status") == "5");
  CHECK(bench.response_field("content-type") == "application/grpc-web+proto");
  CHECK(bench.body().empty());
}

TEST_CASE("grpc_web: an answer that breaks off says so in its last message") {
  Bench bench("application/grpc-web");
  bench.service->error = Error{ErrorCode::connection_reset, Side::upstream, "gone"};
  bench.send(kMessage);
  CHECK(bench.body() == kMessage + "\x80\0\0\0\x25grpc-status: 14\r\ngrpc-message: gone\r\n"s);
}

TEST_CASE("grpc_web: trailers come between two messages, or not at all") {
  BlockPool blocks(8 * 1024);
  Arena arena(blocks);
  http::Headers trailers(arena);
  trailers.add("grpc-status", "4");
  const auto two = kMessage + kMessage;
  for (size_t size = 1; size <= two.size(); ++size) {
    for (const size_t fragment : kFragments) {
      CAPTURE(size);
      CAPTURE(fragment);
      auto pieces = make_in<PiecesBody>(arena, arena, pieces_of(two.substr(0, size), fragment));
      pieces->trailers = &trailers;
      WebAnswer answer(arena, blocks, std::move(pieces), Encoding::bytes);
      std::string told;
      while (told.size() < size) told += next_of(answer);
      CHECK(told == two.substr(0, size));
      const bool is_between = size % kMessage.size() == 0;
      CHECK(next_of(answer) == (is_between ? "\x80\0\0\0\x10grpc-status: 4\r\n"s : "(error protocol_error)"));
    }
  }
}

TEST_CASE("grpc_web: 100 trailers take little more than their size") {
  BlockPool blocks(8 * 1024);
  Arena arena(blocks);
  http::Headers trailers(arena);
  size_t size = 0;
  for (int i = 0; i < 100; ++i) {
    trailers.add("x-more", arena.copy(std::string(300, 'x')));
    size += std::string_view("x-more: \r\n").size() + 300;
  }
  auto pieces = make_in<PiecesBody>(arena, arena, std::vector<std::string>{});
  pieces->trailers = &trailers;
  WebAnswer answer(arena, blocks, std::move(pieces), Encoding::bytes);
  const auto before = arena.footprint();
  std::string told;
  for (auto piece = next_of(answer); piece != "(end)"; piece = next_of(answer)) told += piece;
  CHECK(told.size() == size + 5);
  CHECK(arena.footprint() - before <= size + blocks.block_size());
}

TEST_CASE("grpc_web: gRPC and everything else passes untouched") {
  for (const auto* type : {"application/grpc", "application/json"}) {
    Bench bench(type);
    bench.send("Zg==");
    CHECK(bench.service->seen == fmt::format("content-type: {}\n", type));
    CHECK(bench.service->received == "Zg==");
    CHECK(bench.body() == kMessage);
  }
}
