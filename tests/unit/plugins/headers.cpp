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

TEST_CASE("headers: an error of Weir's own making has them, too") {
  struct Refusing : Origin {
    Task<> handle(Exchange& exchange) const override {
      exchange.fail({ErrorCode::connect_refused, Side::upstream});
      co_return;
    }
  };
  FilterBench bench("filters: [headers: { response: { add: { X-A: b } } }]");
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
