#include "exchange/grpc.h"

#include <doctest/doctest.h>

#include "exchange/error_response.h"
#include "exchange/grpc_answer.h"
#include "exchange/grpc_error.h"
#include "unit/exchange_bench.h"
#include "unit/task_bench.h"

using namespace weir;
using namespace std::chrono_literals;

namespace {

struct Bench : ExchangeBench {
  explicit Bench(std::string_view content_type = "application/grpc") {
    exchange.request.headers.add("content-type", content_type);
    exchange.call = grpc_type(content_type).form;
  }
  std::optional<Duration> timeout(std::string_view value) {
    exchange.request.headers.set("grpc-timeout", value);
    return grpc_timeout(exchange.request.headers);
  }
  std::string status_after(Error error) {
    exchange.fail(error);
    render_error(exchange);
    return response_field("grpc-status");
  }
  /// An answer that breaks off after one message.
  PiecesBody& break_off(Error error) {
    exchange.response.head.headers.set("content-type", "application/grpc");
    auto body = make_in<PiecesBody>(arena, arena, std::vector<std::string>{"message"});
    body->error = error;
    auto& pieces = *body;
    exchange.response.body = std::move(body);
    watch_grpc_answer(exchange);
    return pieces;
  }
};

constexpr Error kReset{ErrorCode::connection_reset, Side::upstream, "the endpoint reset the connection"};

}  // namespace

TEST_CASE("grpc: a call is known by its content type") {
  CHECK(grpc_type("application/grpc").form == GrpcForm::grpc);
  CHECK(grpc_type("application/grpc;charset=utf-8").form == GrpcForm::grpc);
  CHECK(grpc_type("Application/GRPC+proto").suffix == "+proto");
  CHECK(grpc_type("application/grpc-web").form == GrpcForm::web);
  CHECK(grpc_type("application/grpc-web+json").suffix == "+json");
  CHECK(grpc_type("application/grpc-web-text+proto").form == GrpcForm::web_text);
  for (const auto* other : {"application/grpcx", "application/grpc-webs", "application/json", "application", ""}) {
    CAPTURE(other);
    CHECK(grpc_type(other).form == GrpcForm::none);
  }
}

TEST_CASE("grpc: grpc-timeout is up to eight digits and a unit") {
  Bench bench;
  CHECK(bench.timeout("1H") == 1h);
  CHECK(bench.timeout("2M") == 2min);
  CHECK(bench.timeout("3S") == 3s);
  CHECK(bench.timeout("250m") == 250ms);
  CHECK(bench.timeout("100u") == 100us);
  CHECK(bench.timeout("99999999n") == 99'999'999ns);
  CHECK(bench.timeout("0m") == 0ns);
}

TEST_CASE("grpc: a timeout that can't be read, or is longer than anything lasts, is none") {
  Bench bench;
  for (const auto* wrong : {"", "5", "S", "5s", "-1S", "1.5S", "123456789m", "5 S", "99999999H"}) {
    CAPTURE(wrong);
    CHECK_FALSE(bench.timeout(wrong));
  }
}

TEST_CASE("grpc error: it is 200 with a status and a message, and no body") {
  Bench bench("application/grpc+proto");
  bench.exchange.fail({ErrorCode::connect_refused, Side::upstream, "127.0.0.1:9001 refused the connection"});
  render_error(bench.exchange);
  CHECK(bench.exchange.response.head.status == 200);
  CHECK(bench.response_field("content-type") == "application/grpc+proto");
  CHECK(bench.response_field("cache-control") == "no-store");
  CHECK(bench.response_field("grpc-status") == "14");
  CHECK(bench.response_field("grpc-message") == "127.0.0.1:9001 refused the connection");
  CHECK(bench.response_field("proxy-status").starts_with("weir; error=connection_refused"));
  CHECK(bench.exchange.response.body->size() == http::BodySize::none());
  CHECK(bench.exchange.record.has(Flag::UF));
}

TEST_CASE("grpc error: each cause has its status") {
  CHECK(Bench().status_after({ErrorCode::bad_request, Side::client}) == "13");
  CHECK(Bench().status_after({ErrorCode::forbidden, Side::client}) == "7");
  CHECK(Bench().status_after({ErrorCode::no_route, Side::client}) == "12");
  CHECK(Bench().status_after({ErrorCode::body_too_large, Side::client}) == "8");
  CHECK(Bench().status_after({ErrorCode::head_too_large, Side::client}) == "8");
  CHECK(Bench().status_after({ErrorCode::too_many_connections, Side::self}) == "14");
  CHECK(Bench().status_after({ErrorCode::overflow, Side::self}) == "14");
  CHECK(Bench().status_after({ErrorCode::response_timeout, Side::upstream}) == "14");
  CHECK(Bench().status_after({ErrorCode::total_timeout, Side::upstream}) == "4");
  CHECK(Bench().status_after({ErrorCode::internal, Side::self}) == "2");
}

TEST_CASE("grpc error: whatever fails when the time is over is a deadline exceeded") {
  Bench bench;
  bench.exchange.deadline = bench.loop.now();
  CHECK(bench.status_after({ErrorCode::connect_timeout, Side::upstream}) == "4");
}

TEST_CASE("grpc error: what isn't printable ASCII is percent-encoded in the message") {
  Bench bench;
  bench.status_after({ErrorCode::internal, Side::self, "100 % \xc3\xbc\r\n"});
  CHECK(bench.response_field("grpc-message") == "100 %25 %C3%BC%0D%0A");
}

TEST_CASE("grpc error: gRPC-Web is told in its own type") {
  Bench bench("application/grpc-web-text");
  CHECK(bench.status_after({ErrorCode::no_endpoint, Side::upstream}) == "14");
  CHECK(bench.response_field("content-type") == "application/grpc-web-text");
}

TEST_CASE("grpc answer: the status of its trailers is noted") {
  Bench bench;
  http::Headers trailers(bench.arena);
  trailers.add("grpc-status", "5");
  auto& pieces = bench.break_off(kReset);
  pieces.error.reset();
  pieces.trailers = &trailers;
  CHECK(next_of(*bench.exchange.response.body) == "message");
  CHECK_FALSE(bench.exchange.record.grpc_status);
  CHECK(next_of(*bench.exchange.response.body) == "(end)");
  CHECK(bench.exchange.record.grpc_status == 5);
}

TEST_CASE("grpc answer: to a client that makes no call, an answer that breaks off does so") {
  Bench bench;
  bench.exchange.call = GrpcForm::none;
  bench.break_off(kReset);
  CHECK(next_of(*bench.exchange.response.body) == "message");
  CHECK(next_of(*bench.exchange.response.body) != "(end)");
}

TEST_CASE("grpc answer: an answer without messages has its status in the head") {
  Bench bench;
  bench.status_after(kReset);
  watch_grpc_answer(bench.exchange);
  CHECK(bench.exchange.record.grpc_status == 14);
}

TEST_CASE("grpc answer: what breaks off ends with trailers that say why") {
  Bench bench;
  bench.break_off(kReset);
  CHECK(next_of(*bench.exchange.response.body) == "message");
  const auto end = finished(bench.exchange.response.body->read());
  REQUIRE(end);
  REQUIRE(end->trailers);
  CHECK(end->trailers->get("grpc-status") == "14");
  CHECK(end->trailers->get("grpc-message") == kReset.detail);
  CHECK(bench.exchange.failure->code == ErrorCode::connection_reset);
  CHECK(bench.exchange.record.has(Flag::UC));
}

TEST_CASE("grpc answer: a client that is gone is told nothing") {
  Bench bench;
  bench.break_off({ErrorCode::client_gone, Side::client});
  CHECK(next_of(*bench.exchange.response.body) == "message");
  CHECK(next_of(*bench.exchange.response.body) == "(error client_gone)");
}

TEST_CASE("grpc answer: what is no gRPC answer stays as it is") {
  Bench bench;
  bench.exchange.respond(502, "text/html", "<h1>Bad gateway</h1>");
  const auto* body = bench.exchange.response.body.get();
  watch_grpc_answer(bench.exchange);
  CHECK(bench.exchange.response.body.get() == body);
}
