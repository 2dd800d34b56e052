#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "net/tls_client.h"
#include "net/tls_handshake.h"
#include "net/tls_server.h"
#include "unit/certificates.h"
#include "unit/loop_bench.h"
#include "unit/peer.h"

namespace weir::net {

inline TlsCertificate loaded(const Issued& issued) {
  auto certificate = TlsCertificate::load({issued.certificate, issued.key, ""},
                                          std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()));
  REQUIRE_MESSAGE(certificate.has_value(), (certificate ? "" : certificate.error().text));
  return *certificate;
}

/// Moves bytes between two descriptors, `fragment` at a time, when it is told to.
class Relay {
 public:
  Relay(int left, int right, size_t fragment) : there_{left, right}, back_{right, left}, fragment_(fragment) {}
  void move() {
    move(there_);
    move(back_);
  }
  uint64_t moved = 0;

 private:
  struct Way {
    int from, to;
    std::string pending{};
    bool has_ended = false;
  };
  void move(Way& way) {
    if (way.pending.empty() && !way.has_ended) {
      std::string room(fragment_, '\0');
      const ssize_t count = ::recv(way.from, room.data(), room.size(), MSG_DONTWAIT);
      if (count > 0) way.pending.assign(room, 0, static_cast<size_t>(count));
      way.has_ended = count == 0;
      if (way.has_ended) ::shutdown(way.to, SHUT_WR);
    }
    const ssize_t count = ::send(way.to, way.pending.data(), way.pending.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count <= 0) return;
    way.pending.erase(0, static_cast<size_t>(count));
    moved += static_cast<uint64_t>(count);
  }
  Way there_, back_;
  size_t fragment_;
};

/// One end of a connection.
struct End {
  End(Loop& loop, int fd) : loop(loop), socket(loop, fd) {}

  void shake(Time deadline) {
    task = shake_hands(loop, socket, deadline);
    is_done = task.start();
  }
  std::expected<void, TlsFailure> outcome() { return task.take(); }
  /// Why the handshake failed, as it must have.
  TlsFailure failure() {
    const auto shaken = outcome();
    REQUIRE_FALSE(shaken.has_value());
    return shaken.error();
  }
  TlsFacts facts() const { return socket.tls()->facts(); }
  /// OpenSSL's own, for what Weir never does.
  SSL* ssl() const { return socket.tls()->openssl(); }
  std::string peer_subject() const {
    char text[100];
    X509_NAME_oneline(X509_get_subject_name(SSL_get0_peer_certificate(ssl())), text, sizeof text);
    return text + 1;
  }
  /// One read's worth.
  std::string receive(size_t room = 64 * 1024) {
    std::string bytes(room, '\0');
    const auto transfer = socket.receive(bytes);
    state = transfer.state;
    bytes.resize(transfer.bytes);
    return bytes;
  }
  Transfer::State send(std::string_view bytes) {
    output.append(bytes);
    return socket.send(output).state;
  }

  Loop& loop;
  BlockPool pool{8 * 1024};
  Output output{pool};
  Socket socket;
  Task<std::expected<void, TlsFailure>> task;
  bool is_done = false;
  Transfer::State state{};
};

/// A server and a client on the same loop, joined by a relay.
struct TlsBench : LoopBench {
  TlsServer::Settings server_settings() {
    TlsServer::Settings settings;
    settings.certificates.push_back(loaded(authority.issue({.names = {"a.example"}})));
    return settings;
  }
  TlsClient::Settings client_settings() {
    TlsClient::Settings settings;
    settings.authorities = *TlsAuthorities::load(authority.ca());
    return settings;
  }
  void serve(TlsServer::Settings settings) { server = std::make_shared<TlsServer>(std::move(settings), tickets); }
  void use(TlsClient::Settings settings) { client = std::make_shared<TlsClient>(std::move(settings)); }

  /// Until both have said how it went.
  void connect(const std::string& name = "a.example", size_t fragment = 64 * 1024) {
    disconnect();
    const auto [theirs, near] = connected_pair();
    const auto [ours, far] = connected_pair();
    relay.emplace(near, far, fragment);
    fds = {near, far};
    left.emplace(loop, theirs);
    right.emplace(loop, ours);
    left->socket.secure(std::make_unique<TlsSession>(client, theirs, name, "127.0.0.1:1"));
    right->socket.secure(std::make_unique<TlsSession>(server, ours));
    if (!signatures.empty()) SSL_set1_sigalgs_list(left->ssl(), signatures.c_str());
    if (max_version) SSL_set_max_proto_version(left->ssl(), max_version);
    const Time deadline = loop.now() + std::chrono::seconds(10);
    left->shake(deadline);
    right->shake(deadline);
    carry([&] { return left->task.is_done() && right->task.is_done(); });
  }
  bool is_connected() { return left->outcome().has_value() && right->outcome().has_value(); }
  template <class Condition>
  bool carry(Condition is_so) {
    return until([&] {
      relay->move();
      return is_so();
    });
  }
  /// Reads at `to` until all of it has come.
  std::string all_of(End& to, size_t size) {
    std::string bytes;
    carry([&] {
      bytes += to.receive();
      return bytes.size() >= size || to.state == Transfer::State::failed;
    });
    return bytes;
  }
  void disconnect() {
    left.reset();
    right.reset();
    for (const int fd : fds) ::close(fd);
    fds.clear();
  }
  ~TlsBench() { disconnect(); }

  Authority authority;
  std::shared_ptr<TicketKeys> tickets = std::make_shared<TicketKeys>(clock);
  std::shared_ptr<const TlsServer> server;
  std::shared_ptr<const TlsClient> client;
  std::string signatures;  // what the client takes; "" = anything
  int max_version = 0;     // of the client; 0 = any
  std::vector<int> fds;
  std::optional<Relay> relay;
  std::optional<End> left;   // the client
  std::optional<End> right;  // the server
};

/// With a certificate for a.example, and a client that believes it.
struct Joined : TlsBench {
  Joined() {
    serve(server_settings());
    use(client_settings());
  }
};

}  // namespace weir::net
