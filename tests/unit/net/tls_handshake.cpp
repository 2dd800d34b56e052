#include "net/tls_handshake.h"

#include <doctest/doctest.h>

#include <set>

#include "unit/net/tls_bench.h"

namespace weir::net {
namespace {

using namespace std::chrono_literals;

/// The common name of the certificate that a client who asks for `name` is shown.
std::string shown_for(TlsBench& bench, const std::string& name) {
  auto settings = bench.client_settings();
  settings.verify = TlsClient::Verify::off;
  bench.use(std::move(settings));
  bench.connect(name);
  REQUIRE(bench.is_connected());
  const auto peer = bench.left->peer_subject();
  return peer;
}

}  // namespace

TEST_CASE("tls: both sides come to know version, cipher and name") {
  Joined bench;
  bench.connect();
  REQUIRE(bench.is_connected());
  CHECK(bench.right->facts().version == "TLSv1.3");
  CHECK(bench.right->facts().cipher == bench.left->facts().cipher);
  CHECK(bench.right->facts().server_name == "a.example");
  CHECK_FALSE(bench.right->facts().is_resumed);
  CHECK(bench.right->facts().certificate == nullptr);
}

TEST_CASE("tls: a handshake that comes in pieces is the same handshake") {
  for (const size_t fragment : {1, 2, 3, 7, 31}) {
    CAPTURE(fragment);
    Joined bench;
    bench.connect("a.example", fragment);
    CHECK(bench.is_connected());
  }
}

TEST_CASE("tls: the certificate is chosen by name: exact, by wildcard for one label, else the first") {
  TlsBench bench;
  TlsServer::Settings settings;
  for (const std::string name : {"default.example", "www.a.example", "*.a.example"}) {
    settings.certificates.push_back(loaded(bench.authority.issue({.names = {name}, .subject = name})));
  }
  bench.serve(std::move(settings));
  CHECK(shown_for(bench, "www.a.example") == "CN=www.a.example");
  CHECK(shown_for(bench, "WWW.A.Example") == "CN=www.a.example");
  CHECK(shown_for(bench, "api.a.example") == "CN=*.a.example");
  CHECK(shown_for(bench, "deep.api.a.example") == "CN=default.example");
  CHECK(shown_for(bench, "a.example") == "CN=default.example");
  CHECK(shown_for(bench, "127.0.0.1") == "CN=default.example");  // no name is asked for
}

TEST_CASE("tls: of two certificates of one name the client gets the kind that it takes") {
  TlsBench bench;
  TlsServer::Settings settings;
  for (const std::string key : {"RSA", "EC"}) {
    settings.certificates.push_back(
        loaded(bench.authority.issue({.names = {"a.example"}, .subject = key, .key = key})));
  }
  bench.serve(std::move(settings));
  bench.signatures = "RSA-PSS+SHA256";
  CHECK(shown_for(bench, "a.example") == "CN=RSA");
  bench.signatures = "ECDSA+SHA256";
  CHECK(shown_for(bench, "a.example") == "CN=EC");
}

TEST_CASE("tls: an exact certificate of one kind is joined by the wildcard's of the other") {
  TlsBench bench;
  TlsServer::Settings settings;
  settings.certificates.push_back(loaded(bench.authority.issue({.names = {"a.example"}, .subject = "exact"})));
  settings.certificates.push_back(
      loaded(bench.authority.issue({.names = {"*.example"}, .subject = "wildcard", .key = "RSA"})));
  bench.serve(std::move(settings));
  bench.signatures = "RSA-PSS+SHA256";
  CHECK(shown_for(bench, "a.example") == "CN=wildcard");
}

TEST_CASE("tls: a client believes only its authorities, for the endpoint's name") {
  Joined bench;
  SUBCASE("another authority's certificate") {
    Authority stranger("Another CA");
    auto settings = bench.client_settings();
    settings.authorities = *TlsAuthorities::load(stranger.ca());
    bench.use(std::move(settings));
    bench.connect();
    CHECK(bench.left->failure().reason == "unable to get local issuer certificate");
  }
  SUBCASE("another name") {
    bench.connect("b.example");
    CHECK(bench.left->failure().reason == "hostname mismatch");
  }
  SUBCASE("an address that the certificate doesn't have") {
    bench.connect("127.0.0.1");
    CHECK(bench.left->failure().reason == "IP address mismatch");
  }
  CHECK(bench.left->failure().fault == TlsFault::bad_certificate);
  CHECK(bench.right->failure().fault == TlsFault::alert);
}

TEST_CASE("tls: an address in the certificate is as good as a name") {
  TlsBench bench;
  TlsServer::Settings settings;
  settings.certificates.push_back(loaded(bench.authority.issue({.names = {"127.0.0.1"}})));
  bench.serve(std::move(settings));
  bench.use(bench.client_settings());
  bench.connect("127.0.0.1");
  CHECK(bench.is_connected());
}

TEST_CASE("tls: a client that doesn't verify takes any certificate") {
  Joined bench;
  auto settings = bench.client_settings();
  settings.verify = TlsClient::Verify::off;
  settings.authorities = TlsAuthorities::of_the_system();
  bench.use(std::move(settings));
  bench.connect("b.example");
  CHECK(bench.is_connected());
}

TEST_CASE("tls: clients of the same settings have one identity, of other settings another") {
  TlsBench bench;
  const Authority stranger("Another CA");
  std::vector<TlsClient::Settings> others(6, bench.client_settings());
  others[1].verify = TlsClient::Verify::off;
  others[2].authorities = *TlsAuthorities::load(stranger.ca());
  others[3].certificate = loaded(bench.authority.issue({.subject = "ann"}));
  others[4].server_name = "b.example";
  others[5].protocols = {"h2"};
  std::set<uint64_t> identities;
  for (const auto& settings : others) {
    const auto identity = TlsClient(settings).identity();
    CHECK(identity != 0);
    CHECK(identity == TlsClient(settings).identity());
    identities.insert(identity);
  }
  CHECK(identities.size() == others.size());
}

TEST_CASE("tls: a client's certificate is asked for, verified and known") {
  TlsBench bench;
  auto settings = bench.server_settings();
  settings.client_auth = TlsServer::ClientAuth::required;
  settings.client_authorities = *TlsAuthorities::load(bench.authority.ca());
  bench.serve(std::move(settings));
  auto ours = bench.client_settings();
  SUBCASE("one of our authority's") {
    ours.certificate = loaded(bench.authority.issue({.names = {"ann.example"}, .subject = "ann"}));
    bench.use(std::move(ours));
    bench.connect();
    REQUIRE(bench.is_connected());
    const auto* certificate = bench.right->facts().certificate;
    REQUIRE(certificate);
    CHECK(certificate->subject == "CN=ann");
    CHECK(certificate->names == "ann.example");
    CHECK(certificate->fingerprint.size() == 64);
    CHECK(certificate->base64.starts_with("MII"));
  }
  SUBCASE("none at all") {
    bench.use(std::move(ours));
    bench.connect();
    CHECK(bench.right->failure().fault == TlsFault::no_certificate);
  }
  SUBCASE("a stranger's") {
    Authority stranger("Another CA");
    ours.certificate = loaded(stranger.issue({.subject = "eve"}));
    bench.use(std::move(ours));
    bench.connect();
    CHECK(bench.right->failure().fault == TlsFault::bad_certificate);
  }
}

TEST_CASE("tls: a client's certificate that is optional may be missing") {
  TlsBench bench;
  auto settings = bench.server_settings();
  settings.client_auth = TlsServer::ClientAuth::optional;
  settings.client_authorities = *TlsAuthorities::load(bench.authority.ca());
  bench.serve(std::move(settings));
  bench.use(bench.client_settings());
  bench.connect();
  REQUIRE(bench.is_connected());
  CHECK(bench.right->facts().certificate == nullptr);
}

TEST_CASE("tls: the server chooses the application protocol, in its own order") {
  TlsBench bench;
  auto theirs = bench.server_settings();
  theirs.protocols = {"h2", "http/1.1"};
  bench.serve(std::move(theirs));
  auto ours = bench.client_settings();
  ours.protocols = {"http/1.1", "h2"};
  bench.use(ours);
  bench.connect();
  REQUIRE(bench.is_connected());
  CHECK(bench.left->facts().protocol == "h2");
  CHECK(bench.right->facts().protocol == "h2");

  ours.protocols = {"gopher"};
  bench.use(ours);
  bench.connect();
  CHECK(bench.right->failure().fault == TlsFault::protocol);

  ours.protocols = {};
  bench.use(ours);
  bench.connect();
  REQUIRE(bench.is_connected());
  CHECK(bench.right->facts().protocol.empty());
}

TEST_CASE("tls: a session with which a handshake came to nothing isn't offered again") {
  Joined bench;
  const auto talk = [&] {
    bench.connect();
    REQUIRE(bench.is_connected());
    bench.right->send("x");  // behind the ticket
    REQUIRE(bench.all_of(*bench.left, 1) == "x");
    return bench.right->facts().is_resumed;
  };
  CHECK_FALSE(talk());
  CHECK(talk());
  {
    const auto [fd, other] = connected_pair();
    End hanging(bench.loop, fd);
    const Peer mute(other);
    hanging.socket.secure(std::make_unique<TlsSession>(bench.client, fd, "a.example", "127.0.0.1:1"));
    hanging.shake(bench.loop.now() + 1s);
    bench.advance(2s);
    CHECK(hanging.task.is_done());
  }
  CHECK_FALSE(talk());
  CHECK(talk());
}

TEST_CASE("tls: a session is resumed, by another server with the same ticket keys, too") {
  Joined bench;
  const auto talk = [&] {
    bench.connect();
    REQUIRE(bench.is_connected());
    bench.right->send("x");  // behind the ticket
    REQUIRE(bench.all_of(*bench.left, 1) == "x");
    return bench.right->facts().is_resumed;
  };
  CHECK_FALSE(talk());
  CHECK(talk());
  CHECK(talk());
  bench.serve(bench.server_settings());  // a reload
  CHECK(talk());
  bench.clock.advance(13h);  // a rotation
  CHECK(talk());
  bench.clock.advance(25h);
  CHECK_FALSE(talk());
}

TEST_CASE("tls: a session of TLS 1.2 is resumed, too, though its connection ended without a farewell") {
  Joined bench;
  bench.max_version = TLS1_2_VERSION;
  for (const bool resumes : {false, true, true}) {
    bench.connect();
    REQUIRE(bench.is_connected());
    CHECK(bench.right->facts().is_resumed == resumes);
    bench.left->socket.reset_on_close();
  }
}

TEST_CASE("tls: a session isn't resumed where another certificate would be asked of the client") {
  Joined bench;
  const auto talk = [&] {
    bench.connect();
    REQUIRE(bench.is_connected());
    bench.right->send("x");
    REQUIRE(bench.all_of(*bench.left, 1) == "x");
    return bench.right->facts().is_resumed;
  };
  CHECK_FALSE(talk());
  auto settings = bench.server_settings();
  settings.client_auth = TlsServer::ClientAuth::optional;
  settings.client_authorities = *TlsAuthorities::load(bench.authority.ca());
  bench.serve(std::move(settings));
  CHECK_FALSE(talk());
}

TEST_CASE("tls: a session without a certificate, where one is optional, is none where one is required") {
  Joined bench;
  auto settings = bench.server_settings();
  settings.client_authorities = *TlsAuthorities::load(bench.authority.ca());
  settings.client_auth = TlsServer::ClientAuth::optional;
  bench.serve(settings);
  for (const bool resumes : {false, true}) {
    bench.connect();
    REQUIRE(bench.is_connected());
    CHECK(bench.right->facts().is_resumed == resumes);
    bench.right->send("x");  // behind the ticket
    REQUIRE(bench.all_of(*bench.left, 1) == "x");
  }
  settings.client_auth = TlsServer::ClientAuth::required;
  bench.serve(settings);
  bench.connect();
  CHECK(bench.right->failure().fault == TlsFault::no_certificate);
}

TEST_CASE("tls: a session whose certificate one authority has signed is none where another is believed") {
  Joined bench;
  auto ours = bench.client_settings();
  ours.certificate = loaded(bench.authority.issue({.subject = "ann"}));
  bench.use(std::move(ours));
  auto settings = bench.server_settings();
  settings.client_auth = TlsServer::ClientAuth::optional;
  settings.client_authorities = *TlsAuthorities::load(bench.authority.ca());
  bench.serve(settings);
  for (const bool resumes : {false, true}) {
    bench.connect();
    REQUIRE(bench.is_connected());
    CHECK(bench.right->facts().is_resumed == resumes);
    bench.right->send("x");  // behind the ticket
    REQUIRE(bench.all_of(*bench.left, 1) == "x");
  }
  const Authority stranger("Another CA");
  settings.client_authorities = *TlsAuthorities::load(stranger.ca());
  bench.serve(settings);
  bench.connect();
  CHECK(bench.right->failure().fault == TlsFault::bad_certificate);
}

TEST_CASE("tls: what isn't TLS is told apart, and what goes away, and what takes too long") {
  Joined bench;
  const auto [ours, theirs] = connected_pair();
  End end(bench.loop, ours);
  Peer peer(theirs);
  end.socket.secure(std::make_unique<TlsSession>(bench.server, ours));
  end.shake(bench.loop.now() + 5s);
  const auto fault = [&] {
    REQUIRE(bench.until([&] { return end.task.is_done(); }));
    return end.failure().fault;
  };
  SUBCASE("plain HTTP") {
    peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(fault() == TlsFault::not_tls);
  }
  SUBCASE("noise") {
    peer.send(std::string(100, '\xff'));
    CHECK(fault() == TlsFault::not_tls);
  }
  SUBCASE("FIN") {
    peer.close();
    CHECK(fault() == TlsFault::closed);
  }
  SUBCASE("silence") {
    bench.advance(6s);
    CHECK(fault() == TlsFault::timed_out);
  }
  CHECK(ERR_peek_error() == 0);
}

TEST_CASE("tls: a client of old versions only is told apart") {
  Joined bench;
  auto settings = bench.server_settings();
  settings.min_version = TlsServer::Version::tls13;
  bench.serve(std::move(settings));
  bench.max_version = TLS1_2_VERSION;
  bench.connect();
  CHECK(bench.right->failure().fault == TlsFault::version);
}

}  // namespace weir::net
