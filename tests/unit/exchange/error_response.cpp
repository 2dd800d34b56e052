#include "exchange/error_response.h"

#include <doctest/doctest.h>

#include "unit/exchange_bench.h"

using namespace weir;

namespace {

struct Bench : ExchangeBench {
  void render(Error error) {
    exchange.fail(error);
    render_error(exchange);
  }
  std::string content_type(std::string_view accept) {
    exchange.request.headers.set("accept", accept);
    render({ErrorCode::connect_refused, Side::upstream});
    return response_field("content-type");
  }
};

constexpr Error kRefused{ErrorCode::connect_refused, Side::upstream, "127.0.0.1:9001 refused the connection"};

}  // namespace

TEST_CASE("error_response: a refused connection is a 502 that says why, to the client, its log and its tools") {
  Bench bench;
  bench.exchange.id = "01-ab";
  bench.render(kRefused);
  CHECK(bench.exchange.response.head.status == 502);
  CHECK(bench.exchange.record.has(Flag::UF));
  CHECK(bench.response_field("proxy-status") ==
        "weir; error=connection_refused; details=\"127.0.0.1:9001 refused the connection\"");
  CHECK(bench.response_field("content-type") == "application/problem+json");
  CHECK(bench.body() ==
        R"({"type":"urn:weir:error:connect_refused","title":"Upstream refused the connection","status":502,)"
        R"("detail":"127.0.0.1:9001 refused the connection","instance":"01-ab"})"
        "\n");
}

TEST_CASE("error_response: a client that prefers HTML gets a short page") {
  Bench bench;
  bench.exchange.request.headers.add("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
  bench.render({ErrorCode::no_route, Side::client, "<script>"});
  CHECK(bench.response_field("content-type") == "text/html; charset=utf-8");
  CHECK(bench.body() ==
        "<!doctype html>\n<title>404 No such route</title>\n<h1>No such route</h1>\n<p>&lt;script&gt;</p>\n");
}

TEST_CASE("error_response: Accept decides between JSON and HTML by its weights") {
  Bench bench;
  const std::string json = "application/problem+json";
  const std::string html = "text/html; charset=utf-8";
  CHECK(bench.content_type("*/*") == json);
  CHECK(bench.content_type("application/json") == json);
  CHECK(bench.content_type("text/html;q=0.5, application/json") == json);
  CHECK(bench.content_type("text/*, application/json;q=0.9") == html);
  CHECK(bench.content_type("application/json;q=0, */*") == html);
  CHECK(bench.content_type("text/html;q=1e300, application/json") == json);
  CHECK(bench.content_type("text/html;q=nan, application/json;q=0.5") == html);
  CHECK(bench.content_type("image/png") == html);
}

TEST_CASE("error_response: a detail never breaks out of its JSON string or its field") {
  Bench bench;
  bench.render({ErrorCode::internal, Side::self, "a\"b\\c\r\nd"});
  CHECK(bench.body().find(R"("detail":"a\"b\\c\u000d\u000ad")") != std::string::npos);
  CHECK(bench.response_field("proxy-status") == "weir; error=proxy_internal_error; details=\"a\\\"b\\\\c??d\"");
}

TEST_CASE("error_response: a 5xx names the upstream and who refused, a refusal of the client its limit alone") {
  Bench bench;
  bench.exchange.destination.upstream = "api";
  bench.render({ErrorCode::overflow, Side::self, "full", RetrySafe::yes, "queue"});
  CHECK(bench.body().contains(R"x("detail":"full (upstream api, queue)")x"));
  CHECK(bench.response_field("proxy-status").contains("full (upstream api, queue)"));
  bench.render({ErrorCode::no_endpoint, Side::self, "none"});
  CHECK(bench.body().contains(R"x("detail":"none (upstream api)")x"));
  bench.render({ErrorCode::body_too_large, Side::client, "too large", RetrySafe::no, "max_body"});
  CHECK(bench.body().contains(R"x("detail":"too large (max_body)")x"));
}

TEST_CASE("error_response: what passes by itself says when to come back") {
  Bench bench;
  bench.render({ErrorCode::overflow, Side::self});
  CHECK(bench.exchange.response.head.status == 503);
  CHECK(bench.response_field("retry-after") == "1");
  CHECK(bench.exchange.record.has(Flag::UO));
}

TEST_CASE("error_response: fields that filters put on the response stay") {
  Bench bench;
  bench.exchange.fail({ErrorCode::circuit_open, Side::upstream});
  bench.exchange.response.head.headers.add("retry-after", "17");
  bench.exchange.response.head.headers.add("x-team", "api");
  render_error(bench.exchange);
  CHECK(bench.response_field("retry-after") == "17");
  CHECK(bench.response_field("x-team") == "api");
}

TEST_CASE("error_response: each cause has its status") {
  CHECK(meaning_of(ErrorCode::bad_request).status == 400);
  CHECK(meaning_of(ErrorCode::request_timeout).status == 408);
  CHECK(meaning_of(ErrorCode::body_too_large).status == 413);
  CHECK(meaning_of(ErrorCode::client_gone).status == 499);
  CHECK(meaning_of(ErrorCode::no_endpoint).status == 503);
  CHECK(meaning_of(ErrorCode::connect_timeout).status == 504);
  CHECK(meaning_of(ErrorCode::response_timeout).status == 504);
  CHECK(meaning_of(ErrorCode::connection_reset).status == 502);
  CHECK(meaning_of(ErrorCode::protocol_error).status == 502);
  CHECK(meaning_of(ErrorCode::loop_detected).status == 508);
  CHECK(meaning_of(ErrorCode::internal).status == 500);
}

TEST_CASE("access_record: raised flags are named in order") {
  AccessRecord record;
  record.raise(Flag::UT);
  record.raise(Flag::UF);
  std::string names;
  for_each_flag(record.flags, [&](std::string_view name) { (names += name) += ' '; });
  CHECK(names == "UF UT ");
}

TEST_CASE("error_response: a broken quota has the problem type that is registered for it, and names its policies") {
  Bench bench;
  bench.exchange.facts.set(kViolatedPolicies, "minute, day");
  bench.render({ErrorCode::rate_limited, Side::client});
  CHECK(bench.exchange.response.head.status == 429);
  CHECK(bench.exchange.record.has(Flag::RL));
  CHECK(bench.body() ==
        R"({"type":"https://iana.org/assignments/http-problem-types#quota-exceeded","title":"Too many requests",)"
        R"("status":429,"violated-policies":["minute","day"]})"
        "\n");
}

TEST_CASE("error_response: policies are told of a broken quota alone") {
  Bench bench;
  bench.exchange.facts.set(kViolatedPolicies, "minute");
  bench.render({ErrorCode::circuit_open, Side::upstream});
  CHECK_FALSE(bench.body().contains("violated-policies"));
}

TEST_CASE("error_response: a gRPC call beyond its quota is RESOURCE_EXHAUSTED") {
  Bench bench;
  bench.exchange.request.headers.add("content-type", "application/grpc");
  bench.exchange.call = GrpcForm::grpc;
  bench.render({ErrorCode::rate_limited, Side::client, "used up: minute"});
  CHECK(bench.exchange.response.head.status == 200);
  CHECK(bench.response_field("grpc-status") == "8");
}

TEST_CASE("error_response: a content type alone turns no error into a 200") {
  for (const auto* type : {"application/grpc", "application/grpc-web", "application/grpc-web-text+proto"}) {
    CAPTURE(type);
    Bench bench;
    bench.exchange.request.headers.add("content-type", type);
    bench.render({ErrorCode::total_timeout, Side::upstream, "the time for the whole request ran out"});
    CHECK(bench.exchange.response.head.status == 504);
    CHECK(bench.response_field("content-type") == "application/problem+json");
  }
}
