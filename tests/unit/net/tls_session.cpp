#include "net/tls_session.h"

#include <doctest/doctest.h>

#include "unit/net/tls_bench.h"

namespace weir::net {
namespace {

using State = Transfer::State;

struct Connected : Joined {
  explicit Connected(size_t fragment = 64 * 1024) {
    connect("a.example", fragment);
    REQUIRE(is_connected());
  }
};

std::string pattern(size_t size) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i % 251);
  return bytes;
}

}  // namespace

TEST_CASE("tls session: bytes pass both ways, however they are cut up") {
  for (const size_t fragment : {1, 2, 3, 7, 31, 64 * 1024}) {
    CAPTURE(fragment);
    Connected bench(fragment);
    CHECK(bench.left->send("question") == State::moved);
    CHECK(bench.all_of(*bench.right, 8) == "question");
    CHECK(bench.right->send("answer") == State::moved);
    CHECK(bench.all_of(*bench.left, 6) == "answer");
  }
}

TEST_CASE("tls session: a large output goes out in records of 16 KiB, past a socket that is full") {
  Connected bench;
  const auto sent = pattern(3 << 20);
  std::string received;
  State state = bench.left->send(sent);
  CHECK(state == State::blocked);
  CHECK(bench.carry([&] {
    received += bench.right->receive();
    if (state == State::blocked) {
      bench.left->output.unpin();  // as a connection does that waits
      state = bench.left->socket.send(bench.left->output).state;
    }
    return received.size() >= sent.size();
  }));
  CHECK(state == State::moved);
  CHECK(received == sent);
}

TEST_CASE("tls session: a peer that renews its keys again and again, and sends nothing else, loses its connection") {
  Connected bench;
  SSL* const peer = bench.left->ssl();
  const auto renew = [&](int times) {
    for (int i = 0; i < times; ++i) {
      bench.left->receive();  // what OpenSSL writes now goes to the peer's socket
      REQUIRE(SSL_key_update(peer, SSL_KEY_UPDATE_NOT_REQUESTED) == 1);
      REQUIRE(SSL_do_handshake(peer) == 1);
    }
    for (int i = 0; i < 20; ++i) {
      bench.relay->move();
      if (bench.right->state != State::failed) bench.right->receive();
    }
  };
  SUBCASE("now and then, between data") {
    for (int i = 0; i < 10; ++i) {
      renew(10);
      CHECK(bench.left->send("data") == State::moved);
      CHECK(bench.all_of(*bench.right, 4) == "data");
    }
    CHECK(bench.right->state != State::failed);
  }
  SUBCASE("without an end") {
    renew(100);
    CHECK(bench.right->state == State::failed);
  }
}

TEST_CASE("tls session: keys that the peer renews while a write is blocked break nothing") {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    CAPTURE(version);
    Joined bench;
    bench.max_version = version;
    bench.connect("a.example");
    REQUIRE(bench.is_connected());
    bench.carry([&] { return bench.left->receive().empty(); });  // the tickets
    const auto sent = pattern(3 << 20);
    State state = bench.right->send(sent);
    REQUIRE(state == State::blocked);
    std::string received;
    for (int i = 0; i < 5; ++i) {
      received += bench.left->receive(1);  // what OpenSSL writes now goes to the peer's socket
      if (version == TLS1_3_VERSION) {
        REQUIRE(SSL_key_update(bench.left->ssl(), SSL_KEY_UPDATE_REQUESTED) == 1);
        REQUIRE(SSL_do_handshake(bench.left->ssl()) == 1);
      }
      REQUIRE(bench.left->send("data") == State::moved);
      REQUIRE(bench.all_of(*bench.right, 4) == "data");
    }
    CHECK(bench.carry([&] {
      received += bench.left->receive();
      if (state == State::blocked) state = bench.right->socket.send(bench.right->output).state;
      return received.size() >= sent.size();
    }));
    CHECK(state == State::moved);
    CHECK(bench.right->output.is_empty());
    CHECK(received == sent);
    CHECK(bench.right->send("more") == State::moved);
    CHECK(bench.all_of(*bench.left, 4) == "more");
  }
}

TEST_CASE("tls session: what a peer has said before it went is read, though a write is blocked") {
  Connected bench;
  bench.carry([&] { return bench.left->receive().empty(); });  // the tickets
  REQUIRE(bench.right->send(pattern(3 << 20)) == State::blocked);
  ::shutdown(bench.fds[1], SHUT_RD);
  REQUIRE(bench.left->send("answer") == State::moved);
  for (int i = 0; i < 5; ++i) bench.relay->move();
  CHECK(bench.right->receive() == "answer");
  CHECK(bench.right->receive().empty());
  CHECK(bench.right->state == State::blocked);
  CHECK(bench.right->socket.send(bench.right->output).state == State::failed);
}

TEST_CASE("tls session: a peer that renews its keys and takes nothing isn't read, and costs no memory") {
  Connected bench;
  bench.carry([&] { return bench.left->receive().empty(); });  // the tickets
  REQUIRE(bench.right->send(pattern(3 << 20)) == State::blocked);
  size_t renewals = 0;
  for (bool is_read = true; is_read && renewals < 5000; ++renewals) {
    bench.left->receive(1);
    REQUIRE(SSL_key_update(bench.left->ssl(), SSL_KEY_UPDATE_REQUESTED) == 1);
    REQUIRE(SSL_do_handshake(bench.left->ssl()) == 1);
    REQUIRE(bench.left->send("data") == State::moved);
    for (int i = 0; i < 5; ++i) bench.relay->move();
    is_read = !bench.right->receive().empty();
  }
  CHECK(renewals < 5000);
  CHECK(bench.right->state == State::blocked);
  CHECK_FALSE(bench.right->socket.readable().await_ready());
}

TEST_CASE("tls session: small pieces leave together, in one record") {
  Connected bench;
  bench.settle();
  bench.carry([&] { return bench.left->receive().empty(); });  // the ticket
  bench.relay->moved = 0;
  for (int i = 0; i < 20; ++i) bench.right->output.append(Slice::literal("0123456789"));
  CHECK(bench.right->socket.send(bench.right->output).state == State::moved);
  CHECK(bench.right->output.is_empty());
  CHECK(bench.all_of(*bench.left, 200).size() == 200);
  CHECK(bench.relay->moved < 200 + 30);
}

TEST_CASE("tls session: a session ticket that waits is no data; data, an end and bytes inside are told apart from it") {
  Connected bench;  // the server's tickets have left, and weren't read
  const auto arrives = [&] {
    const auto before = bench.relay->moved;
    bench.carry([&] { return bench.relay->moved > before; });
  };
  for (int i = 0; i < 10; ++i) bench.relay->move();
  CHECK(bench.left->socket.peek().state == State::blocked);
  CHECK(bench.left->socket.peek().state == State::blocked);
  SUBCASE("data") {
    bench.right->send("evil");
    arrives();
    CHECK(bench.left->socket.peek().state == State::moved);
  }
  SUBCASE("data behind data") {
    bench.right->send("answer and evil");
    arrives();
    CHECK(bench.left->receive(6) == "answer");
    CHECK(bench.left->socket.peek().state == State::moved);
  }
  SUBCASE("a read that took exactly all") {
    bench.right->send("answer");
    arrives();
    CHECK(bench.left->receive(6) == "answer");
    CHECK(bench.left->socket.peek().state == State::blocked);
  }
  SUBCASE("an end") {
    bench.right->socket.finish_writing();
    arrives();
    CHECK(bench.left->socket.peek().state == State::ended);
  }
}

TEST_CASE("tls session: what doesn't fit into one read is readable at once") {
  Connected bench;
  bench.left->send(pattern(10'000));
  std::string received = bench.all_of(*bench.right, 1);
  CHECK(received.size() == 10'000);
  bench.left->send(pattern(10'000));
  for (int i = 0; i < 10; ++i) {
    bench.relay->move();
    bench.settle();
  }
  received = bench.right->receive(3000);
  while (bench.right->socket.tls()->has_unread()) {
    CHECK(bench.right->socket.readable().await_ready());
    received += bench.right->receive(3000);
  }
  CHECK(received == pattern(10'000));
  CHECK_FALSE(bench.right->socket.readable().await_ready());
}

TEST_CASE("tls session: the peer's farewell is an end, after its last bytes") {
  Connected bench;
  bench.left->send("bye");
  bench.left->socket.finish_writing();
  for (int i = 0; i < 5; ++i) bench.relay->move();
  CHECK(bench.right->receive() == "bye");
  CHECK(bench.right->socket.readable().await_ready());  // the end waits inside
  bench.right->receive();
  CHECK(bench.right->state == State::ended);
  CHECK(bench.right->send("still here") == State::moved);
  CHECK(bench.all_of(*bench.left, 10) == "still here");
}

TEST_CASE("tls session: an end without farewell is a failure, not an end") {
  Connected bench;
  bench.left->socket.tls()->spoil();
  bench.left->socket.finish_writing();
  CHECK(bench.carry([&] {
    bench.right->receive();
    return bench.right->state != State::blocked;
  }));
  CHECK(bench.right->state == State::failed);
  CHECK(ERR_peek_error() == 0);
}

TEST_CASE("tls session: a connection that is dropped says farewell; one to be reset doesn't") {
  for (const bool is_reset : {false, true}) {
    CAPTURE(is_reset);
    Connected bench;
    if (is_reset) bench.left->socket.reset_on_close();
    bench.left.reset();
    CHECK(bench.carry([&] {
      bench.right->receive();
      return bench.right->state != State::blocked;
    }));
    CHECK(bench.right->state == (is_reset ? State::failed : State::ended));
  }
}

TEST_CASE("tls session: noise in the middle breaks the connection, and leaves nothing in OpenSSL's queue") {
  Connected bench;
  const std::string noise(50, '\x17');
  REQUIRE(::send(bench.fds[1], noise.data(), noise.size(), MSG_NOSIGNAL) == 50);
  CHECK(bench.carry([&] {
    bench.right->receive();
    return bench.right->state != State::blocked;
  }));
  CHECK(bench.right->state == State::failed);
  CHECK(bench.right->send("hello") == State::failed);
  CHECK(ERR_peek_error() == 0);
}

TEST_CASE("tls session: a send to a peer that is gone fails, without a signal") {
  Connected bench;
  for (const int fd : bench.fds) ::close(fd);
  bench.fds.clear();
  bench.right->send("hello");
  CHECK(bench.right->send("hello") == State::failed);
}

TEST_CASE("tls session: a key update that can't be answered yet doesn't lose what comes behind it") {
  Connected bench;
  // The right side's way out is full.
  State state = bench.right->send(pattern(3 << 20));
  REQUIRE(state == State::blocked);
  SSL_key_update(bench.left->ssl(), SSL_KEY_UPDATE_REQUESTED);
  bench.left->send("behind");
  std::string received;
  size_t back = 0;
  CHECK(bench.carry([&] {
    received += bench.right->receive();
    back += bench.left->receive().size();
    if (state == State::blocked) state = bench.right->socket.send(bench.right->output).state;
    return received == "behind" && back == 3 << 20;
  }));
  CHECK(state == State::moved);
}

}  // namespace weir::net
