#include "plugins/request_body/request_body.h"

#include <doctest/doctest.h>

#include "plugins/registry.h"
#include "unit/exchange_bench.h"

using namespace weir;
using namespace weir::plugins;

namespace {

struct Passes : Filter {
  Task<> handle(Exchange& exchange, Next next) const override { return next(exchange); }
};

/// The body as it is announced to the endpoint.
struct Seen : Origin {
  Task<> handle(Exchange& exchange) const override {
    size = exchange.request_body->size();
    exchange.respond(200);
    co_return;
  }
  mutable http::BodySize size;
};

struct Unsized : TextBody {
  using TextBody::TextBody;
  http::BodySize size() const override { return http::BodySize::unknown(); }
};

struct Bench : ExchangeBench {
  Bench() {
    context.route = "r";
    exchange.request_body = make_in<Unsized>(arena, arena, "hello");
  }
  ~Bench() { exchange.request_body.reset(); }  // before the metrics
  std::vector<std::string> order(std::vector<std::string> filters) {
    std::vector<Chain::Link> links;
    for (const auto& name : filters) links.push_back({name, std::make_shared<Passes>()});
    add_request_body_buffer({.mode = RequestBodySettings::Mode::buffer}, context, links);
    std::vector<std::string> names;
    for (const auto& link : links) names.push_back(link.name);
    return names;
  }
  http::BodySize sent() {
    std::vector<Chain::Link> links;
    add_request_body_buffer({.mode = RequestBodySettings::Mode::buffer}, context, links);
    const auto origin = std::make_shared<Seen>();
    const Chain chain(std::move(links), origin);
    auto task = chain.run(exchange);
    REQUIRE(task.start());
    return origin->size;
  }

  config::Problems problems;
  StateSlots slots;
  FilterMetrics metrics;
  FilterContext context{problems, slots, metrics};
};

}  // namespace

TEST_CASE("request_body: the body is read in front of the first filter that acts for the upstream, or behind all") {
  using Names = std::vector<std::string>;
  Bench bench;
  CHECK(bench.order({}) == Names{"request_body"});
  CHECK(bench.order({"rate_limit", "headers"}) == Names{"rate_limit", "headers", "request_body"});
  for (const auto* name : {"circuit_breaker", "concurrency_limit", "hedge", "retry"})
    CHECK(bench.order({"rate_limit", name, "headers", name}) ==
          Names{"rate_limit", "request_body", name, "headers", name});
}

TEST_CASE("request_body: without the setting nothing is read") {
  Bench bench;
  std::vector<Chain::Link> links;
  add_request_body_buffer({}, bench.context, links);
  CHECK(links.empty());
}

TEST_CASE("request_body: a body of unknown size has one at the endpoint") {
  CHECK(Bench().sent() == http::BodySize::known(5));
}

TEST_CASE("request_body: a client's word for its content changes nothing") {
  Bench call;
  call.exchange.call = GrpcForm::grpc;
  call.exchange.request.headers.add("content-type", "application/grpc");
  CHECK(call.sent() == http::BodySize::known(5));
}

TEST_CASE("request_body: the bytes of a tunnel are no body that comes to an end") {
  Bench tunnel;
  tunnel.exchange.request.protocol = "websocket";
  CHECK(tunnel.sent() == http::BodySize::unknown());
}
