#include <doctest/doctest.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <thread>

#include "net/tls_client.h"
#include "net/tls_server.h"
#include "net/tls_session.h"
#include "unit/certificates.h"

namespace weir::net {
namespace {

constexpr int kThreads = 4;
constexpr int kConnections = 25;

/// Turned by whoever likes.
class TurningClock : public Clock {
 public:
  Time now() const override { return Time(std::chrono::hours(hours_.load())); }
  std::chrono::system_clock::time_point wall() const override { return std::chrono::system_clock::now(); }
  void advance() { ++hours_; }

 private:
  std::atomic<int> hours_{1};
};

TlsCertificate issue(Authority& authority, const std::string& name) {
  const auto issued = authority.issue({.names = {name}});
  return *TlsCertificate::load({issued.certificate, issued.key, ""},
                               std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()));
}

struct Shared {
  explicit Shared(TlsServer::EarlyData early) {
    TlsServer::Settings ours;
    for (const std::string name : {"a.example", "b.example"}) ours.certificates.push_back(issue(authority, name));
    ours.early_data = early;
    server = std::make_shared<TlsServer>(std::move(ours), tickets);
    TlsClient::Settings theirs;
    theirs.authorities = *TlsAuthorities::load(authority.ca());
    client = std::make_shared<TlsClient>(std::move(theirs));
  }

  Authority authority;
  TurningClock clock;
  std::shared_ptr<TicketKeys> tickets = std::make_shared<TicketKeys>(clock);
  std::shared_ptr<const TlsServer> server;
  std::shared_ptr<const TlsClient> client;
  std::atomic<int> served{0};
  std::atomic<int> resumed{0};
};

bool shake_hands(TlsSession& left, TlsSession& right) {
  using Step = TlsSession::Step;
  Step theirs = Step::wants_read;
  Step ours = Step::wants_read;
  while (theirs != Step::done || ours != Step::done) {
    if (theirs != Step::done) theirs = left.shake_hands();
    if (ours != Step::done) ours = right.shake_hands();
    if (theirs == Step::failed || ours == Step::failed) return false;
  }
  return true;
}

/// One connection, with a word from the server: the client has its ticket then.
void connect(Shared& shared, const std::string& name) {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) != 0) return;
  {
    TlsSession client(shared.client, fds[0], name, "127.0.0.1:1");
    TlsSession server(shared.server, fds[1]);
    BlockPool pool(8 * 1024);
    Output word(pool);
    word.append(std::string_view("word"));
    std::array<char, 16> room;
    if (shake_hands(client, server) && server.send(word).state == Transfer::State::moved &&
        client.receive(room).bytes == 4) {
      ++shared.served;
    }
    if (server.facts().is_resumed) ++shared.resumed;
  }
  for (const int fd : fds) ::close(fd);
}

void work(Shared& shared, int number) {
  for (int i = 0; i < kConnections; ++i) {
    connect(shared, i % 2 ? "a.example" : "b.example");
    if (i % 5 == number) shared.clock.advance();
  }
}

}  // namespace

TEST_CASE("tls: contexts, kept sessions and the ring of ticket keys serve many threads at once") {
  for (const auto early : {TlsServer::EarlyData::skipped, TlsServer::EarlyData::taken}) {
    Shared shared(early);
    {
      std::vector<std::jthread> threads;
      for (int number = 0; number < kThreads; ++number) threads.emplace_back(work, std::ref(shared), number);
    }
    CHECK(shared.served == kThreads * kConnections);
    CHECK(shared.resumed > 0);
  }
}

TEST_CASE("ticket keys: all threads seal with the same key, and it opens, while keys come and go") {
  TurningClock clock;
  TicketKeys keys(clock);
  std::atomic<int> lost{0};
  {
    std::vector<std::jthread> threads;
    for (int number = 0; number < kThreads; ++number) {
      threads.emplace_back([&] {
        for (int i = 0; i < 1000; ++i) {
          const auto key = keys.current();
          const auto found = keys.find(key.name.data());
          if (!found || found->key.cipher != key.cipher) ++lost;
          if (i % 250 == 249) clock.advance();
        }
      });
    }
  }
  CHECK(lost == 0);
}

}  // namespace weir::net
