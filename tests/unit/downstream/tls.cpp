#include <doctest/doctest.h>

#include "async/event.h"
#include "net/tls_client.h"
#include "unit/certificates.h"
#include "unit/config/bench.h"
#include "unit/downstream/bench.h"

namespace weir::downstream {
namespace {

using namespace std::chrono_literals;

struct Read : config::Read<TlsSettings> {
  using config::Read<TlsSettings>::Read;
  std::string problem() const { return problems.empty() ? "" : problems.all().front().message; }
};

/// A gateway whose clients come by TLS.
struct TlsBench : Bench {
  explicit TlsBench(TlsSettings settings = {}) { use(std::move(settings)); }
  void use(TlsSettings settings) {
    const auto issued = authority.issue({.names = {"a.example"}});
    settings.certificates.push_back({{issued.certificate}, {issued.key}, {}});
    const auto tls = make_tls(
        settings, {"", std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()), problems}, tickets);
    REQUIRE_MESSAGE(tls, problems.text());
    gateway.use_tls(tls, 1min);
  }
  /// From here on a client needs a certificate of `clients`.
  void demand(const Authority& clients) {
    TlsSettings settings;
    settings.client_auth = {net::TlsServer::ClientAuth::required, {clients.ca()}};
    use(std::move(settings));
  }

  Authority authority;
  config::Problems problems;
  std::shared_ptr<net::TicketKeys> tickets = std::make_shared<net::TicketKeys>(clock);
};

/// A client's own end, which does what TlsSession does on the other side.
struct Caller {
  explicit Caller(TlsBench& bench, std::optional<net::TlsCertificate> certificate = {}) : bench(bench) {
    const auto [ours, theirs] = connected_pair();
    bench.gateway.open(ours, *net::Address::parse_ip("10.0.0.1", 4711));
    net::TlsClient::Settings settings;
    settings.authorities = *net::TlsAuthorities::load(bench.authority.ca());
    settings.certificate = std::move(certificate);
    fd = theirs;
    session = std::make_unique<net::TlsSession>(std::make_shared<net::TlsClient>(settings), fd, "a.example", "");
  }
  ~Caller() {
    session.reset();
    ::close(fd);
  }
  net::TlsSession::Step shake() {
    auto step = session->shake_hands();
    for (int i = 0; i < 10 && step == net::TlsSession::Step::wants_read; ++i) {
      bench.settle();
      step = session->shake_hands();
    }
    bench.settle();
    return step;
  }
  std::string ask(std::string_view bytes) {
    output.append(bytes);
    session->send(output);
    bench.settle();
    std::string answer(10'000, '\0');
    answer.resize(session->receive(answer).bytes);
    return answer;
  }

  TlsBench& bench;
  BlockPool pool{8 * 1024};
  Output output{pool};
  int fd = -1;
  std::unique_ptr<net::TlsSession> session;
};

constexpr std::string_view kGet = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";

}  // namespace

TEST_CASE("tls listener: a request that comes by TLS is answered, and knows how it came") {
  TlsBench bench;
  std::string told;
  bench.origin->script = [&](Exchange& exchange) -> Task<> {
    const auto& client = exchange.client;
    told = std::string(client.tls->version) + " " + std::string(client.tls->server_name) + " " +
           std::string(exchange.request.scheme) + " " + std::string(*exchange.request.headers.get("x-forwarded-proto"));
    exchange.respond(200, "text/plain", "hello");
    co_return;
  };
  Caller caller(bench);
  REQUIRE(caller.shake() == net::TlsSession::Step::done);
  CHECK(status_of(caller.ask(kGet)) == 200);
  CHECK(told == "TLSv1.3 a.example https https");
  CHECK(status_of(caller.ask(kGet)) == 200);
  CHECK(bench.observer.seen.size() == 2);
}

TEST_CASE("tls listener: a handshake that fails is told to the observer, and its connection closes") {
  TlsBench bench;
  Peer peer = bench.connect();
  CHECK_FALSE(bench.ask(peer, kGet).starts_with("HTTP/"));
  CHECK(peer.has_ended());
  CHECK(bench.observer.faults == std::vector{net::TlsFault::not_tls});
  CHECK(bench.observer.connections == 0);
  CHECK(bench.observer.started == 0);
}

TEST_CASE("tls listener: a client that has sent noise before it was accepted is like any other") {
  TlsBench bench;
  const auto [ours, theirs] = connected_pair();
  Peer peer(theirs);
  peer.send(kGet);
  bench.gateway.open(ours, *net::Address::parse_ip("10.0.0.1", 4711));
  CHECK(bench.gateway.size() == 1);
  bench.settle();
  CHECK(peer.has_ended());
  CHECK(bench.gateway.size() == 0);
}

TEST_CASE("tls listener: a handshake has its time, then an idle connection has its own") {
  TlsBench bench;
  Peer mute = bench.connect();
  Caller caller(bench);
  REQUIRE(caller.shake() == net::TlsSession::Step::done);
  bench.advance(11s);
  CHECK(mute.has_ended());
  CHECK(bench.observer.faults == std::vector{net::TlsFault::timed_out});
  CHECK(bench.observer.connections == 1);
  bench.advance(bench.policy.timeouts.idle);
  for (int i = 0; i < 40; ++i) bench.advance(2s);  // its session tickets are not read yet
  CHECK(bench.observer.connections == 0);
}

TEST_CASE("tls listener: a gateway that is drained lets a handshake go") {
  TlsBench bench;
  Peer mute = bench.connect();
  bench.gateway.close_idle();
  bench.settle();
  CHECK(mute.has_ended());
  CHECK(bench.observer.faults.empty());
}

TEST_CASE("tls listener: the upstream reads the client's certificate in Client-Cert, and nobody else's word") {
  Authority clients("Clients");
  TlsSettings settings;
  settings.client_auth = {net::TlsServer::ClientAuth::optional, {clients.ca()}};
  TlsBench bench(std::move(settings));
  std::string told;
  bench.origin->script = [&](Exchange& exchange) -> Task<> {
    told = exchange.request.headers.joined("client-cert").value_or("(none)");
    exchange.respond(204);
    co_return;
  };
  constexpr std::string_view kLie =
      "GET / HTTP/1.1\r\nHost: a.example\r\nClient-Cert: :lie:\r\nclient-cert-chain: :lie:\r\n\r\n";
  const auto ann = clients.issue({.subject = "ann"});
  Caller known(bench,
               *net::TlsCertificate::load({ann.certificate, ann.key, ""},
                                          std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now())));
  REQUIRE(known.shake() == net::TlsSession::Step::done);
  CHECK(status_of(known.ask(kLie)) == 204);
  CHECK(told.starts_with(":MII"));
  CHECK(told.ends_with(":"));
  Caller unknown(bench);
  REQUIRE(unknown.shake() == net::TlsSession::Step::done);
  CHECK(status_of(unknown.ask(kLie)) == 204);
  CHECK(told == "(none)");
}

TEST_CASE("tls listener: connections that a later reload bars have a grace of their own") {
  Authority first("First");
  Authority second("Second");
  TlsBench bench;
  Event never(bench.loop);
  bench.origin->script = [&](Exchange&) -> Task<> { co_await never.wait(); };
  Caller stranger(bench);
  REQUIRE(stranger.shake() == net::TlsSession::Step::done);
  stranger.ask(kGet);
  bench.demand(first);
  CHECK(bench.observer.barred == 1);
  bench.pass(30s);
  const auto ann = first.issue({.subject = "ann"});
  Caller known(bench,
               *net::TlsCertificate::load({ann.certificate, ann.key, ""},
                                          std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now())));
  REQUIRE(known.shake() == net::TlsSession::Step::done);
  known.ask(kGet);
  bench.demand(second);
  CHECK(bench.observer.barred == 2);
  CHECK(bench.observer.connections == 2);
  bench.pass(31s);
  CHECK(bench.observer.connections == 1);
  bench.pass(28s);
  CHECK(bench.observer.connections == 1);
  bench.pass(62s);
  CHECK(bench.observer.connections == 0);
}

TEST_CASE("tls settings: a certificate and its key are all that is needed") {
  const Read read("certificates: [{ cert: a.pem, key: a.key }]\n");
  REQUIRE_MESSAGE(read.problems.empty(), read.problems.text());
  CHECK(*read.value.certificates[0].cert == "a.pem");
  CHECK(read.value.min_version == net::TlsServer::Version::tls12);
  CHECK(read.value.client_auth.mode == net::TlsServer::ClientAuth::off);
  CHECK(read.value.handshake_timeout == 10s);
  CHECK(read.value.alpn == std::vector<std::string>{"h2", "http/1.1"});
}

TEST_CASE("tls settings: what can't be is a problem") {
  const std::string pair = "certificates: [{ cert: a.pem, key: a.key }]\n";
  CHECK_FALSE(Read("certificates: []\n").problems.empty());
  CHECK_FALSE(Read("certificates: [{ cert: a.pem }]\n").problems.empty());
  CHECK_FALSE(Read(pair + "min_version: '1.1'\n").problems.empty());
  CHECK(Read(pair + "alpn: [spdy]\n").problem() == "'spdy' isn't spoken here");
  CHECK(Read(pair + "client_auth: { mode: required }\n").problem() ==
        "client certificates need the authorities that sign them");
}

TEST_CASE("tls settings: each file that is wrong is a problem where it is named") {
  Authority authority;
  const auto good = authority.issue({.names = {"a.example"}});
  config::Problems problems;
  TlsSettings settings;
  settings.certificates.push_back({{good.certificate}, {"nowhere.key", {.line = 7}}, {}});
  settings.certificates.push_back({{"nowhere.pem", {.line = 8}}, {good.key}, {}});
  settings.client_auth = {net::TlsServer::ClientAuth::required, {"nowhere.ca", {.line = 9}}};
  const SteadyClock clock;
  CHECK_FALSE(make_tls(settings, {"/etc/weir", std::chrono::floor<std::chrono::seconds>(clock.wall()), problems},
                       std::make_shared<net::TicketKeys>(clock)));
  REQUIRE(problems.size() == 3);
  CHECK(problems.all()[0].at.line == 7);
  CHECK(problems.all()[0].message == "'/etc/weir/nowhere.key' can't be read: No such file or directory");
  CHECK(problems.all()[1].at.line == 8);
  CHECK(problems.all()[2].at.line == 9);
}

}  // namespace weir::downstream
