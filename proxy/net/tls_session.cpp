#include "net/tls_session.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "net/tls_client.h"
#include "net/tls_openssl.h"
#include "net/tls_peer.h"
#include "net/tls_server.h"

namespace weir::net {

using namespace tls;

namespace {

constexpr uint8_t kMostKeyUpdates = 32;  // of a peer, without data between them

constexpr size_t kRecord = 16 * 1024;      // the most that one record carries (RFC 8446 section 5.1)
constexpr size_t kMostUnsent = 32 * 1024;  // bytes of records; beyond, no more is read, which may call for answers

/// What goes into the next record: small pieces are put together, so that a reply is one record and one write. A write
/// of early data that was blocked is repeated with the same bytes in front, as OpenSSL asks, since an Output only grows
/// at its end.
std::string_view next_record(const Output& output) {
  const auto front = output.front().view();
  if (front.size() >= kRecord || front.size() == output.bytes()) return front.substr(0, kRecord);
  thread_local std::array<char, kRecord> room;
  std::array<iovec, 64> pieces;
  const size_t count = output.gather(pieces);
  size_t filled = 0;
  for (size_t i = 0; i < count && filled < kRecord; ++i) {
    const size_t part = std::min(pieces[i].iov_len, kRecord - filled);
    std::memcpy(room.data() + filled, pieces[i].iov_base, part);
    filled += part;
  }
  return {room.data(), filled};
}

}  // namespace

thread_local TlsSession* TlsSession::in_turn_ = nullptr;

/// OpenSSL's way to the socket. All sessions of a thread share one BIO, which serves the session whose turn it is: a
/// BIO of its own would be a quarter KiB for each connection.
struct TlsWire {
  static TlsSession& session() { return *TlsSession::in_turn_; }

  static bool would_block() { return errno == EAGAIN || errno == EINTR; }

  static int stopped(BIO* bio, int wish) {
    if (would_block()) {
      BIO_set_flags(bio, wish | BIO_FLAGS_SHOULD_RETRY);
    } else {
      session().error_ = errno;
    }
    return -1;
  }

  static int read(BIO* bio, char* into, int size) noexcept {
    TlsSession& self = session();
    BIO_clear_retry_flags(bio);
    if (self.key_updates_ > kMostKeyUpdates) {
      self.error_ = EPROTO;
      return -1;
    }
    if (self.is_drained_) {
      BIO_set_retry_read(bio);
      return -1;
    }
    const ssize_t count = ::recv(self.fd_, into, static_cast<size_t>(size), 0);
    self.is_drained_ = count < size;
    return count >= 0 ? static_cast<int>(count) : stopped(bio, BIO_FLAGS_READ);
  }

  static int write(BIO* bio, const char* from, int size) noexcept {
    TlsSession& self = session();
    BIO_clear_retry_flags(bio);
    const ssize_t count = self.unsent_ ? 0 : ::send(self.fd_, from, static_cast<size_t>(size), MSG_NOSIGNAL);
    if (count == size) return size;
    if (count < 0 && (!self.takes_all() || !would_block())) return stopped(bio, BIO_FLAGS_WRITE);
    if (!self.takes_all()) return static_cast<int>(count);
    const auto sent = static_cast<size_t>(std::max<ssize_t>(count, 0));
    self.keep_unsent(from + sent, static_cast<size_t>(size) - sent);
    return size;
  }

  static long control(BIO*, int command, long, void*) noexcept { return command == BIO_CTRL_FLUSH; }

  static const BIO_METHOD* method() {
    static BIO_METHOD* const method = [] {
      BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "weir socket");
      BIO_meth_set_read(made, read);
      BIO_meth_set_write(made, write);
      BIO_meth_set_ctrl(made, control);
      return made;
    }();
    return method;
  }

  static BIO* shared() {
    thread_local const Bio bio(BIO_new(method()));
    BIO_set_init(bio.get(), 1);
    return bio.get();
  }
};

void TlsSession::Free::operator()(ssl_st* ssl) const { SSL_free(ssl); }

TlsSession::TlsSession(std::shared_ptr<const TlsServer> server, int fd) : server_(std::move(server)), fd_(fd) {
  ssl_.reset(server_->new_session());
  if (server_->takes_early_data()) early_ = Early::expected;
  attach();
}

TlsSession::TlsSession(std::shared_ptr<const TlsClient> client, int fd, const std::string& name,
                       const std::string& endpoint)
    : client_(new Client{std::move(client), endpoint + " " + name}), fd_(fd) {
  ssl_.reset(client_->context->new_session(name, client_->memory_key));
  attach();
}

void TlsSession::attach() {
  BIO* const bio = TlsWire::shared();
  BIO_up_ref(bio);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_msg_callback(ssl_.get(), look_at);
}

/// Counts key updates (RFC 8446 section 4.6.3), which cost Weir much more than the peer.
void TlsSession::look_at(int is_written, int, int type, const void* bytes, size_t size, ssl_st*, void*) noexcept {
  if (is_written != 0 || type != SSL3_RT_HANDSHAKE || size == 0) return;
  if (*static_cast<const unsigned char*>(bytes) == SSL3_MT_KEY_UPDATE && in_turn_->key_updates_ < UINT8_MAX)
    ++in_turn_->key_updates_;
}

TlsSession::~TlsSession() {
  if (client_ && !is_established_) client_->context->forget(client_->memory_key);
  finish();
  // OpenSSL gives up the session of a connection that wasn't shut down both ways (RFC 2246 section 7.2.1, long gone).
  SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

void TlsSession::offer(std::string_view protocol) {
  const auto list = protocol_list({std::string(protocol)});
  SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(list.data()),
                      static_cast<unsigned>(list.size()));
}

TlsSession::Step TlsSession::shake_hands() {
  take_turn();
  is_drained_ = false;
  const int outcome = early_ == Early::expected ? greet() : SSL_do_handshake(ssl_.get());
  if (outcome != 1) return handshake_stopped(outcome);
  ERR_clear_error();
  establish();
  return Step::done;
}

/// The handshake, but up to early data only, if there is any. As SSL_do_handshake.
int TlsSession::greet() {
  SSL* const ssl = ssl_.get();
  size_t none = 0;
  const int outcome = SSL_read_early_data(ssl, nullptr, 0, &none);
  if (SSL_get_early_data_status(ssl) == SSL_EARLY_DATA_ACCEPTED && !SSL_want_write(ssl)) {
    early_ = outcome == SSL_READ_EARLY_DATA_FINISH ? Early::ending : Early::arriving;
    return 1;
  }
  if (outcome != SSL_READ_EARLY_DATA_FINISH) return -1;
  early_ = Early::none;
  return SSL_do_handshake(ssl);
}

TlsSession::Step TlsSession::handshake_stopped(int outcome) {
  switch (SSL_get_error(ssl_.get(), outcome)) {
    case SSL_ERROR_WANT_READ: return Step::wants_read;
    case SSL_ERROR_WANT_WRITE: return Step::wants_write;
    default: break;
  }
  const auto failure = failure_of(ssl_.get());
  fault_ = failure.fault;
  reason_ = failure.reason;
  ERR_clear_error();
  is_broken_ = true;
  return Step::failed;
}

void TlsSession::establish() {
  SSL* const ssl = ssl_.get();
  is_established_ = true;
  has_unread_ = SSL_has_pending(ssl) == 1;
  if (server_ && SSL_get_verify_result(ssl) == X509_V_OK) certificate_ = peer_certificate_of(ssl);
}

TlsFacts TlsSession::facts() const {
  SSL* const ssl = ssl_.get();
  TlsFacts facts{.version = SSL_get_version(ssl), .cipher = SSL_get_cipher_name(ssl)};
  const unsigned char* protocol = nullptr;
  unsigned length = 0;
  SSL_get0_alpn_selected(ssl, &protocol, &length);
  facts.protocol = {reinterpret_cast<const char*>(protocol), length};
  if (const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name))
    facts.server_name = without_last_dot(name);
  facts.asks_for_certificate = server_ && server_->asks_for_certificates();
  facts.is_resumed = SSL_session_reused(ssl) == 1;
  facts.certificate = certificate_.get();
  return facts;
}

void TlsSession::remember(ssl_session_st* session) {
  const Client& client = *in_turn_->client_;
  client.context->keep(client.memory_key, session);
}

Transfer TlsSession::receive(std::span<char> into) {
  if (is_early()) return receive_early(into);
  take_turn();
  (void)push_unsent();  // a peer that takes no more may have said something before
  if (must_write()) return {Transfer::State::blocked};
  const auto transfer = receive_records(into);
  read_wants_write_ = read_wants_write_ || must_write();
  return transfer;
}

/// Whether a read can only go on once the socket takes bytes: those that nobody waits to send, or too many.
bool TlsSession::must_write() {
  read_wants_write_ = unsent_ && error_ == 0 && (unsent_->carried == 0 || unsent_->bytes.size() > kMostUnsent);
  return read_wants_write_;
}

/// What was left inside comes alone: the socket's turn is the next one, after those of the other connections.
Transfer TlsSession::receive_records(std::span<char> into) {
  is_drained_ = std::exchange(has_unread_, false);
  size_t filled = 0;
  while (filled < into.size()) {
    size_t count = 0;
    if (SSL_read_ex(ssl_.get(), into.data() + filled, into.size() - filled, &count) != 1) {
      const auto stop = read_stopped();
      if (filled == 0) return stop;
      has_unread_ = stop.state != Transfer::State::blocked;  // the end, or the failure, is told next time
      return {Transfer::State::moved, filled};
    }
    key_updates_ = 0;
    filled += count;
    if (SSL_has_pending(ssl_.get()) == 0) return {Transfer::State::moved, filled};
  }
  has_unread_ = true;
  return {Transfer::State::moved, filled};
}

/// The bytes of one record, or a step of the handshake: never both, so that whoever receives knows what is early.
Transfer TlsSession::receive_early(std::span<char> into) {
  take_turn();
  is_drained_ = std::exchange(has_unread_, false);
  read_wants_write_ = false;
  if (early_ == Early::ending) return finish_handshake();
  size_t count = 0;
  switch (SSL_read_early_data(ssl_.get(), into.data(), into.size(), &count)) {
    case SSL_READ_EARLY_DATA_ERROR: return read_stopped();
    case SSL_READ_EARLY_DATA_FINISH: early_ = Early::ending; return finish_handshake();
    default: has_unread_ = SSL_has_pending(ssl_.get()) == 1; return {Transfer::State::moved, count};
  }
}

Transfer TlsSession::finish_handshake() {
  if (early_write_waits_) {
    read_wants_write_ = true;
    return {Transfer::State::blocked};
  }
  if (SSL_do_handshake(ssl_.get()) != 1) return read_stopped();
  ERR_clear_error();
  early_ = Early::none;
  has_unread_ = SSL_has_pending(ssl_.get()) == 1;
  if (must_finish_) finish();
  return {Transfer::State::blocked};
}

Transfer TlsSession::read_stopped() {
  switch (SSL_get_error(ssl_.get(), 0)) {
    case SSL_ERROR_WANT_READ:
      if (key_updates_ > kMostKeyUpdates) return broken();
      return {Transfer::State::blocked};
    case SSL_ERROR_WANT_WRITE: read_wants_write_ = true; return {Transfer::State::blocked};
    case SSL_ERROR_ZERO_RETURN: return {Transfer::State::ended};
    default: return broken();
  }
}

Transfer TlsSession::send(Output& output) {
  if (early_ == Early::ending && read_wants_write_) return {Transfer::State::blocked};  // the handshake goes first
  take_turn();
  if (!push_unsent()) return broken();
  if (unsent_) return {Transfer::State::blocked};
  output.consume(std::exchange(carried_, 0));
  const auto write = is_early() ? SSL_write_early_data : SSL_write_ex;
  while (!output.is_empty()) {
    const auto record = next_record(output);
    size_t count = 0;
    if (write(ssl_.get(), record.data(), record.size(), &count) != 1) return write_stopped();
    if (unsent_) {
      unsent_->carried = count;
      return {Transfer::State::blocked};
    }
    output.consume(count);
  }
  early_write_waits_ = false;
  return {Transfer::State::moved};
}

void TlsSession::keep_unsent(const char* from, size_t size) {
  if (!unsent_) unsent_ = std::make_unique<Unsent>();
  unsent_->bytes.append(from, size);
}

/// Sends what the socket takes of `unsent_`. False: the connection broke.
bool TlsSession::push_unsent() {
  if (!unsent_) return true;
  if (error_ != 0) return false;
  const size_t left = unsent_->bytes.size() - unsent_->sent;
  const ssize_t count = ::send(fd_, unsent_->bytes.data() + unsent_->sent, left, MSG_NOSIGNAL);
  if (count < 0) {
    if (TlsWire::would_block()) return true;
    error_ = errno;
    return false;
  }
  unsent_->sent += static_cast<size_t>(count);
  if (unsent_->sent < unsent_->bytes.size()) return true;
  carried_ = unsent_->carried;
  unsent_.reset();
  return true;
}

/// Nothing but the socket's room can be wanted: there is no renegotiation.
Transfer TlsSession::write_stopped() {
  if (SSL_get_error(ssl_.get(), 0) != SSL_ERROR_WANT_WRITE) return broken();
  early_write_waits_ = is_early();
  return {Transfer::State::blocked};
}

Transfer TlsSession::broken() {
  ERR_clear_error();
  is_broken_ = true;
  return {Transfer::State::failed, 0, error_ != 0 ? error_ : ECONNRESET};
}

void TlsSession::finish() {
  if (is_early()) must_finish_ = true;
  if (!is_established_ || is_early() || is_broken_ || (SSL_get_shutdown(ssl_.get()) & SSL_SENT_SHUTDOWN)) return;
  take_turn();
  SSL_shutdown(ssl_.get());
  unsent_.reset();  // the socket doesn't take it: nothing follows that could wait for that
  ERR_clear_error();
}

}  // namespace weir::net
