#include "unit/plugins/bench.h"

using namespace weir;
using namespace weir::plugins;

TEST_CASE("headers: fields of the request are removed, set and added before it goes on") {
  FilterBench bench(R"(
filters:
  - headers:
      request:
        set: { X-Client: "{client.ip} via {method}" }
        add: { X-Tag: two }
        remove: [X-Secret]
)");
  bench.exchange.client.ip = "10.0.0.1";
  bench.exchange.request.headers.add("x-client", "forged");
  bench.exchange.request.headers.add("x-tag", "one");
  bench.exchange.request.headers.add("x-secret", "s");
  CHECK(bench.run() == 200);
  CHECK(bench.request_field("x-client") == "10.0.0.1 via GET");
  CHECK(bench.request_field("x-tag") == "one, two");
  CHECK(bench.request_field("x-secret") == "(none)");
}

TEST_CASE("headers: fields of the response are changed on its way back") {
  FilterBench bench(R"(
filters:
  - headers: { response: { set: { Server: weir }, remove: X-Powered-By } }
)");
  bench.origin->fields = {{"server", "origin"}, {"x-powered-by", "php"}};
  bench.run();
  CHECK(bench.response_field("server") == "weir");
  CHECK(bench.response_field("x-powered-by") == "(none)");
}

TEST_CASE("headers: an error of Weir's own making has them, too, where all responses do") {
  struct Refusing : Origin {
    Task<> handle(Exchange& exchange) const override {
      exchange.fail({ErrorCode::connect_refused, Side::upstream});
      co_return;
    }
  };
  FilterBench bench("filters: [headers: { response: { add: { X-A: b }, on: all } }]");
  const Chain chain(bench.chain.links(), std::make_shared<Refusing>());
  auto task = chain.run(bench.exchange);
  REQUIRE(task.start());
  CHECK(bench.response_field("x-a") == "b");
}

TEST_CASE("headers: a value without its key removes the field rather than leave what the client forged") {
  FilterBench bench("filters: [headers: { request: { set: { X-User: '{header.x-real-user}' } } }]");
  bench.exchange.request.headers.add("x-user", "forged");
  bench.run();
  CHECK(bench.request_field("x-user") == "(none)");
}

TEST_CASE("headers: a line end that a query smuggles in is never sent") {
  FilterBench bench("filters: [headers: { request: { add: { X-Q: '{query.q}' } } }]");
  bench.exchange.request.query = "q=a%0d%0aX-Evil:1";
  bench.exchange.request.has_query = true;
  bench.run();
  const auto sent = bench.request_field("x-q");
  CHECK(sent.find('\n') == std::string::npos);
}

TEST_CASE("headers: what can't be a field, or is Weir's own, is a problem at its place") {
  FilterBench bench(R"(
filters:
  - headers:
      request:
        set: { "bad name": x, Connection: close }
        add: { X-A: "{nonsense}" }
      response:
        remove: [Transfer-Encoding]
)");
  CHECK(bench.problems.size() == 4);
  const auto text = bench.problems.text();
  CHECK(text.find("weir.yaml:5:16: ") != std::string::npos);
  CHECK(text.find("'bad name' is not a field name") != std::string::npos);
  CHECK(text.find("'Connection' can't be changed") != std::string::npos);
  CHECK(text.find("'Transfer-Encoding' can't be changed") != std::string::npos);
}

TEST_CASE("headers: fields of responses are set on success unless something else is said") {
  const auto fields = [](const std::string& response, uint16_t status) {
    FilterBench bench("filters: [headers: { response: " + response + " }]");
    REQUIRE_MESSAGE(bench.problems.empty(), bench.problems.text());
    bench.origin->status = status;
    bench.run();
    return bench.response_field("x-a") + " " + bench.response_field("x-b");
  };
  for (const auto status : {200, 204, 302, 304}) CHECK(fields("{ set: { X-A: a }, add: { X-B: b } }", status) == "a b");
  for (const auto status : {400, 404, 500, 503}) {
    CHECK(fields("{ set: { X-A: a }, add: { X-B: b } }", status) == "(none) (none)");
    CHECK(fields("{ set: { X-A: a }, add: { X-B: b }, on: all }", status) == "a b");
  }
  CHECK(fields("{ set: { X-A: a }, on: [404, 200] }", 404) == "a (none)");
  CHECK(fields("{ set: { X-A: a }, on: [404, 200] }", 201) == "(none) (none)");
  CHECK(fields("{ set: { X-A: a }, on: [success, 404] }", 404) == "a (none)");
  CHECK(fields("{ set: { X-A: { value: a, on: all }, X-B: b } }", 500) == "a (none)");
  CHECK(fields("{ set: { X-A: { value: a, on: success }, X-B: b }, on: all }", 500) == "(none) b");
}

TEST_CASE("headers: what isn't set on a response leaves its own field alone") {
  FilterBench bench("filters: [headers: { response: { set: { X-A: a }, remove: X-B } }]");
  bench.origin->status = 500;
  bench.origin->fields = {{"x-a", "origin"}, {"x-b", "origin"}};
  bench.run();
  CHECK(bench.response_field("x-a") == "origin");
  CHECK(bench.response_field("x-b") == "(none)");
}

TEST_CASE("headers: a word that is no status is a problem") {
  for (const auto* on : {"never", "[200, 99]", "600", "[]"}) {
    CAPTURE(on);
    CHECK(FilterBench("filters: [headers: { response: { set: { X-A: a }, on: " + std::string(on) + " } }]")
              .problems.size() == 1);
  }
}
