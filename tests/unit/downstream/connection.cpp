#include "downstream/connection.h"

#include "async/event.h"
#include "unit/downstream/bench.h"

namespace weir::downstream {
namespace {

using namespace std::chrono_literals;

constexpr std::initializer_list<size_t> kFragments{1, 2, 3, 7, 31, 1 << 20};

/// Reads the request's body and gives it back.
Task<> echo(Exchange& exchange) {
  const auto text = co_await exchange.request_body->whole(1 << 20);
  if (text) exchange.respond(200, "text/plain", *text);
  else exchange.fail(text.error());
}

}  // namespace

TEST_CASE("connection: a request gets its response, and the connection serves the next") {
  Bench bench;
  auto client = bench.connect();
  const auto first = bench.get(client, "/one");
  CHECK(status_of(first) == 200);
  CHECK(body_of(first) == "/one");
  CHECK(first.find("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n") != std::string::npos);
  CHECK_FALSE(says_close(first));
  CHECK(body_of(bench.get(client, "/two")) == "/two");
  CHECK(bench.observer.connections == 1);
}

TEST_CASE("connection: however a request is cut up, it is the same request") {
  const std::string request =
      "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n there\r\n0\r\n\r\n"
      "GET /b HTTP/1.1\r\nHost: a\r\n\r\n";
  for (const size_t fragment : kFragments) {
    CAPTURE(fragment);
    Bench bench;
    bench.origin->script = echo;
    auto client = bench.connect();
    std::string answers;
    for (size_t at = 0; at < request.size(); at += fragment) {
      answers += bench.ask(client, std::string_view(request).substr(at, fragment));
    }
    CHECK(count(answers, "HTTP/1.1 200 OK") == 2);
    CHECK(body_of(answers).starts_with("hello there"));
    CHECK(bench.observer.seen[0].request_bytes == 11);
  }
}

TEST_CASE("connection: pipelined requests are answered one after the other, in order") {
  Bench bench;
  Event go_on(bench.loop);
  bench.origin->script = [&](Exchange& exchange) -> Task<> {
    if (exchange.request.path == "/slow") co_await go_on.wait();
    exchange.respond(200, "text/plain", exchange.request.path);
  };
  auto client = bench.connect();
  CHECK(bench.ask(client,
                  "GET /slow HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n"
                  "GET /3 HTTP/1.1\r\nHost: a\r\n\r\n") == "");
  CHECK(bench.origin->requests == 1);
  go_on.set();
  bench.settle();
  const auto answers = client.received();
  CHECK(count(answers, "HTTP/1.1 200") == 3);
  CHECK(answers.find("/slow") < answers.find("/2"));
  CHECK(answers.find("/2") < answers.find("/3"));
}

TEST_CASE("connection: a flood of pipelined requests waits in the socket, not in memory") {
  Bench bench;
  Event go_on(bench.loop);
  bench.origin->script = [&](Exchange& exchange) -> Task<> {
    co_await go_on.wait();
    exchange.respond(204);
  };
  auto [ours, theirs] = connected_pair();
  bench.gateway.open(ours, *net::Address::parse_ip("10.0.0.1", 1));
  std::string flood;
  for (int i = 0; i < 100; ++i)
    flood += "GET / HTTP/1.1\r\nHost: a\r\nX-Padding: " + std::string(1000, 'x') + "\r\n\r\n";
  Peer client(theirs);
  client.send(flood);
  bench.settle();
  CHECK(bench.worker.blocks.in_use() < 16);
  go_on.set();
  std::string answers;
  CHECK(bench.until([&] {
    answers += client.received();
    return count(answers, "HTTP/1.1 204") == 100;
  }));
}

TEST_CASE("connection: a client that leaves cancels its exchange, and the log says DC") {
  Bench bench;
  Names gone;
  Event never(bench.loop);
  bench.origin->script = [&](Exchange&) -> Task<> {
    const Mourned frame(gone, "handler");
    co_await never.wait();
  };
  auto client = bench.connect();
  bench.get(client);
  CHECK(gone.empty());
  client.close();
  bench.settle();
  CHECK(gone == Names{"handler"});
  REQUIRE(bench.observer.seen.size() == 1);
  CHECK(bench.observer.seen[0].has(Flag::DC));
  CHECK(bench.observer.seen[0].status == 0);
  CHECK(bench.observer.connections == 0);
  CHECK(bench.clients.all() == 0);
}

TEST_CASE("connection: a client that leaves in the middle of its body cancels too") {
  Bench bench;
  bench.origin->script = echo;
  auto client = bench.connect();
  bench.ask(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello");
  client.close();
  bench.settle();
  REQUIRE(bench.observer.seen.size() == 1);
  CHECK(bench.observer.seen[0].has(Flag::DC));
  CHECK(bench.observer.connections == 0);
}

TEST_CASE("connection: a client that leaves between requests is no exchange") {
  Bench bench;
  auto client = bench.connect();
  bench.get(client);
  client.close();
  bench.settle();
  CHECK(bench.observer.seen.size() == 1);
  CHECK_FALSE(bench.observer.seen[0].has(Flag::DC));
  CHECK(bench.observer.connections == 0);
}

TEST_CASE("connection: bytes that break a rule get 400 and an orderly close") {
  for (const size_t fragment : kFragments) {
    CAPTURE(fragment);
    Bench bench;
    auto client = bench.connect();
    const std::string_view bad = "GET / HTTP/1.1\r\nHost : a\r\n\r\n";
    std::string answer;
    for (size_t at = 0; at < bad.size(); at += fragment) answer += bench.ask(client, bad.substr(at, fragment));
    CHECK(status_of(answer) == 400);
    CHECK(says_close(answer));
    CHECK(client.has_ended());
    CHECK(bench.observer.connections == 1);  // it lingers: the client's last bytes mustn't cause a reset
    client.send("more that nobody reads");
    bench.pass(5s, 1s);
    CHECK(bench.observer.connections == 0);
    CHECK(bench.origin->requests == 0);
    CHECK(bench.observer.seen[0].has(Flag::DPE));
  }
}

TEST_CASE("connection: a bad request behind a good one doesn't take the good one's answer away") {
  Bench bench;
  auto client = bench.connect();
  const auto answers = bench.ask(client, "GET /good HTTP/1.1\r\nHost: a\r\n\r\nGET bad HTTP/1.1\r\n\r\n");
  CHECK(answers.starts_with("HTTP/1.1 200"));
  CHECK(count(answers, "HTTP/1.1 400") == 1);
  CHECK(client.has_ended());
}

TEST_CASE("connection: no route is 404, and the connection goes on") {
  Bench bench;
  auto client = bench.connect();
  CHECK(status_of(bench.get(client, "/nowhere")) == 404);
  CHECK(status_of(bench.get(client)) == 200);
  CHECK(bench.observer.seen[0].has(Flag::NR));
}

TEST_CASE("connection: a body announced larger than allowed is 413 before the chain") {
  Bench bench;
  bench.routes.route.max_body = 10;
  auto client = bench.connect();
  const auto answer = bench.ask(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n");
  CHECK(status_of(answer) == 413);
  CHECK(says_close(answer));
  CHECK(bench.origin->requests == 0);
}

TEST_CASE("connection: a chunked body that turns out larger than allowed is 413") {
  Bench bench;
  bench.routes.route.max_body = 10;
  bench.origin->script = echo;
  auto client = bench.connect();
  const auto head =
      bench.ask(client, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n");
  CHECK(head == "");
  const auto answer = bench.ask(client, "8\r\n12345678\r\n");
  CHECK(status_of(answer) == 413);
  CHECK(client.has_ended());
}

TEST_CASE("connection: a head that isn't whole in time is 408") {
  Bench bench({.timeouts = {.head = 5s}});
  auto client = bench.connect();
  bench.ask(client, "GET / HTTP/1.1\r\n");
  bench.advance(4s);
  CHECK(bench.ask(client, "Host: a\r\n") == "");  // a little now and then doesn't help
  bench.advance(1004ms);
  const auto answer = client.received();
  CHECK(status_of(answer) == 408);
  CHECK(client.has_ended());
  CHECK(bench.observer.seen[0].has(Flag::DT));
}

TEST_CASE("connection: one that idles too long is closed without a word") {
  Bench bench({.timeouts = {.idle = 5s}});
  auto fresh = bench.connect();
  auto used = bench.connect();
  bench.get(used);
  bench.advance(4s);
  CHECK_FALSE(used.has_ended());
  bench.advance(2s);
  CHECK(fresh.received() == "");
  CHECK(fresh.has_ended());
  CHECK(used.has_ended());
  CHECK(bench.observer.connections == 0);
}

TEST_CASE("connection: a body that stops coming is 408") {
  Bench bench({.timeouts = {.body = 5s}});
  bench.origin->script = echo;
  auto client = bench.connect();
  bench.ask(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello");
  bench.pass(4s);
  CHECK(client.received() == "");
  bench.pass(3s);
  CHECK(status_of(client.received()) == 408);
  CHECK(bench.observer.seen.at(0).has(Flag::DT));
}

TEST_CASE("connection: a body that trickles is 408, once it had its 5 s of grace") {
  Bench bench({.limits = {.body_rate = 100}});
  bench.origin->script = echo;
  auto client = bench.connect();
  bench.ask(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
  std::string answer;
  int seconds = 0;
  for (; seconds < 20 && answer.empty(); ++seconds) {
    answer = bench.ask(client, "x");
    bench.advance(1s);
  }
  answer += client.received();
  CHECK(status_of(answer) == 408);
  CHECK(seconds > 5);
}

TEST_CASE("connection: the time that the reader of a body takes is none of the client's") {
  Bench bench({.limits = {.body_rate = 1000}, .timeouts = {.body = 5s}});
  Event go_on(bench.loop);
  bench.origin->script = [&](Exchange& exchange) -> Task<> {
    co_await go_on.wait();
    co_await echo(exchange);
  };
  auto client = bench.connect();
  std::string left(900'000, 'x');
  bench.ask(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n");
  const auto push = [&] {
    while (const size_t taken = client.push(left)) {
      left.erase(0, taken);
      bench.settle();
    }
  };
  push();
  REQUIRE_FALSE(left.empty());
  bench.pass(60s);
  CHECK(client.received() == "");
  go_on.set();
  std::string answer;
  CHECK(bench.until([&] {
    push();
    answer += client.received();
    return body_of(answer).size() == 900'000;
  }));
  CHECK(status_of(answer) == 200);
}

TEST_CASE("connection: 100 Continue is sent when somebody reads the body, not before") {
  Bench bench;
  Event read_now(bench.loop);
  bench.origin->script = [&](Exchange& exchange) -> Task<> {
    CHECK_FALSE(exchange.request.headers.has(http::Field::expect));
    co_await read_now.wait();
    co_await echo(exchange);
  };
  auto client = bench.connect();
  CHECK(bench.ask(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n") == "");
  read_now.set();
  bench.settle();
  CHECK(client.received() == "HTTP/1.1 100 Continue\r\n\r\n");
  const auto answer = bench.ask(client, "hello");
  CHECK(status_of(answer) == 200);
  CHECK(body_of(answer) == "hello");
}

TEST_CASE("connection: an answer that doesn't need the body takes the place of 100, and closes") {
  Bench bench;
  auto client = bench.connect();
  const auto answer =
      bench.ask(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  CHECK(status_of(answer) == 200);
  CHECK(says_close(answer));
}

TEST_CASE("connection: any other expectation is 417") {
  Bench bench;
  auto client = bench.connect();
  CHECK(status_of(bench.ask(client, "GET / HTTP/1.1\r\nHost: a\r\nExpect: a-miracle\r\n\r\n")) == 417);
}

TEST_CASE("connection: a client that sends no more of its body than 100 asks for still gets 1xx only once") {
  Bench bench;
  bench.origin->script = echo;
  auto client = bench.connect();
  std::string answers =
      bench.ask(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  for (const auto* piece : {"a", "b", "c"}) answers += bench.ask(client, piece);
  CHECK(count(answers, "100 Continue") == 1);
  CHECK(count(answers, "HTTP/1.1 200") == 1);
}

TEST_CASE("connection: the last of its requests says that it closes") {
  Bench bench({.limits = {.requests_per_connection = 2}});
  auto client = bench.connect();
  CHECK_FALSE(says_close(bench.get(client)));
  CHECK(says_close(bench.get(client)));
  CHECK(client.has_ended());
}

TEST_CASE("connection: while draining, each answer says that its connection closes") {
  Bench bench;
  auto client = bench.connect();
  CHECK_FALSE(says_close(bench.get(client)));
  bench.gateway.drain();
  CHECK(says_close(bench.get(client)));
  CHECK(client.has_ended());
}

TEST_CASE("gateway: close_idle closes those that wait for a request, no others") {
  Bench bench;
  Event go_on(bench.loop);
  bench.origin->script = [&](Exchange& exchange) -> Task<> {
    co_await go_on.wait();
    exchange.respond(200, "text/plain", "late");
  };
  auto idle = bench.connect();
  auto busy = bench.connect();
  bench.get(busy);
  bench.gateway.close_idle();
  bench.settle();
  CHECK(idle.has_ended());
  CHECK(bench.gateway.size() == 1);
  go_on.set();
  bench.settle();
  CHECK(body_of(busy.received()) == "late");
}

TEST_CASE("gateway: a connection too many is told 503 and closed") {
  Bench bench({.limits = {.connections = 1}});
  auto first = bench.connect();
  auto second = bench.connect();
  const auto refused = bench.get(second);
  CHECK(status_of(refused) == 503);
  CHECK(says_close(refused));
  CHECK(second.has_ended());
  CHECK(status_of(bench.get(first)) == 200);
  CHECK(bench.observer.refused == std::vector{ConnectionObserver::Limit::all});
}

TEST_CASE("gateway: a client's connection too many is told 429, another client's isn't") {
  Bench bench({.limits = {.connections_per_client = 1}});
  auto first = bench.connect("10.0.0.1");
  auto second = bench.connect("10.0.0.1");
  auto other = bench.connect("10.0.0.2");
  CHECK(status_of(bench.get(second)) == 429);
  CHECK(status_of(bench.get(other)) == 200);
  CHECK(bench.observer.refused == std::vector{ConnectionObserver::Limit::client});
}

TEST_CASE("gateway: far over its limit it closes without a word") {
  Bench bench({.limits = {.connections = 1}});
  std::vector<Peer> clients;
  for (int i = 0; i < 140; ++i) clients.push_back(bench.connect());
  bench.settle();
  CHECK(clients.back().has_ended());
  CHECK(bench.gateway.size() < 140);
  CHECK(bench.clients.all() == 1);  // whoever is only told why takes nobody's place
}

TEST_CASE("gateway: takes its connections with it, in the middle of whatever they do") {
  Observer* observer = nullptr;
  Names gone;
  {
    Bench bench;
    Event never(bench.loop);
    bench.origin->script = [&](Exchange&) -> Task<> {
      const Mourned frame(gone, "handler");
      co_await never.wait();
    };
    observer = &bench.observer;
    auto busy = bench.connect();
    bench.get(busy);
    {
      Gateway other{bench.worker, bench.clients, bench.observer, "other", 0};
      other.serve(ServingRef(&bench.serving));
      const auto [ours, theirs] = connected_pair();
      Peer client(theirs);
      other.open(ours, *net::Address::parse_ip("10.0.0.9", 1));
      bench.get(client);
      CHECK(observer->connections == 2);
    }
    CHECK(observer->connections == 1);
    CHECK(gone == Names{"handler"});
    bench.settle();
  }
  CHECK(gone.size() == 2);
}

TEST_CASE("connection: an exception that escapes from the chain is 500") {
  Bench bench;
  bench.origin->script = [](Exchange&) -> Task<> {
    throw std::runtime_error("oh");
    co_return;
  };
  auto client = bench.connect();
  CHECK(status_of(bench.get(client)) == 500);
  CHECK(bench.observer.seen[0].has(Flag::IE));
}

TEST_CASE("connection: HEAD has the head of GET and no body") {
  Bench bench;
  auto client = bench.connect();
  const auto answer = bench.ask(client, "HEAD /four HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(status_of(answer) == 200);
  CHECK(answer.find("Content-Length: 5\r\n") != std::string::npos);
  CHECK(body_of(answer) == "");
}

TEST_CASE("connection: an HTTP/1.0 client is answered and closed") {
  Bench bench;
  auto client = bench.connect();
  const auto answer = bench.ask(client, "GET /old HTTP/1.0\r\n\r\n");
  CHECK(status_of(answer) == 200);
  CHECK(body_of(answer) == "/old");
  CHECK(client.has_ended());
}

TEST_CASE("connection: a 1xx of the origin's goes out at once, but not to HTTP/1.0") {
  for (const bool is_old : {false, true}) {
    Bench bench;
    Event go_on(bench.loop);
    bench.origin->script = [&](Exchange& exchange) -> Task<> {
      http::ResponseHead hints(exchange.arena());
      hints.status = 103;
      exchange.inform(hints);
      co_await go_on.wait();
      exchange.respond(204);
    };
    auto client = bench.connect();
    const auto early = bench.ask(client, is_old ? "GET / HTTP/1.0\r\n\r\n" : "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(status_of(early) == (is_old ? 0 : 103));
    go_on.set();
    bench.settle();
    CHECK(status_of(client.received()) == 204);
  }
}

TEST_CASE("connection: idle, it owns no block of its worker's") {
  Bench bench;
  auto client = bench.connect();
  const size_t before = bench.blocks.in_use();
  bench.get(client);
  CHECK(bench.blocks.in_use() == before);
}

}  // namespace weir::downstream
