#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/output.h"
#include "net/transfer.h"

struct ssl_session_st;
struct ssl_st;

namespace weir::net {

class TlsClient;
class TlsServer;

/// Why a handshake failed: few words, for a metric.
enum class TlsFault : uint8_t {
  timed_out,
  closed,           // the peer went away
  not_tls,          // what it sent isn't TLS: plain HTTP, noise
  version,          // no version in common
  cipher,           // no cipher suite, group or signature in common
  protocol,         // no application protocol in common (ALPN)
  no_certificate,   // a client that must show one has none
  bad_certificate,  // the peer's isn't valid, or isn't for this name
  alert,            // the peer refused: our certificate, mostly
  other,
};
inline constexpr size_t kTlsFaults = 10;
std::string_view name_of(TlsFault fault);

struct TlsFailure {
  TlsFault fault = TlsFault::other;
  std::string_view reason;  // OpenSSL's words; lives for ever
};

/// What a peer's certificate says. `subject` and `names` are its own words: any byte but control characters.
struct TlsPeerCertificate {
  std::string subject;      // RFC 4514: "CN=ann,O=Example"
  std::string names;        // its DNS, e-mail and URI names, separated by ", "
  std::string fingerprint;  // SHA-256, lower-case hex
  std::string base64;       // of its DER form
};

/// What came out of a handshake. All lives as long as the session, version and cipher for ever.
struct TlsFacts {
  std::string_view version;      // "TLSv1.3"
  std::string_view cipher;       // "TLS_AES_128_GCM_SHA256"
  std::string_view protocol;     // ALPN: "http/1.1"; "" when none was agreed on
  std::string_view server_name;  // SNI, without a dot at its end; "" when none was sent
  bool is_resumed = false;
  bool asks_for_certificate = false;                // of the client, be it that it may have none
  const TlsPeerCertificate* certificate = nullptr;  // verified; null when none was shown
};

/// TLS on one socket: the same readiness as without, with other calls. Doesn't own the descriptor. Idle, it holds no
/// buffer, and little else: there are many of them. One thread.
class TlsSession {
 public:
  /// The server's side of a connection on `fd`.
  TlsSession(std::shared_ptr<const TlsServer> server, int fd);
  /// The client's side, to an endpoint that is shown as `endpoint` and must have a certificate for `name`, a DNS name
  /// or an IP address.
  TlsSession(std::shared_ptr<const TlsClient> client, int fd, const std::string& name, const std::string& endpoint);
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;
  /// Tells the peer that this is the end (close_notify), unless the connection broke.
  ~TlsSession();

  /// Client: the one application protocol (ALPN) of this connection, in place of the TlsClient's list. Before the
  /// handshake.
  void offer(std::string_view protocol);

  enum class Step : uint8_t { done, wants_read, wants_write, failed };
  /// Goes on with the handshake; after `failed`, `failure` says why. `done` comes early when the client has sent data
  /// before it is: `receive` then goes on with the handshake.
  Step shake_hands();
  TlsFailure failure() const { return {fault_, reason_}; }
  /// Once it is done.
  TlsFacts facts() const;

  /// What is received may be a replay: the client hasn't finished its handshake (RFC 8446 section 8).
  bool is_early() const { return early_ == Early::arriving || early_ == Early::ending; }

  /// As Socket's. `ended` is the peer's close_notify: a connection that ends without one was cut (RFC 8446
  /// section 6.1).
  Transfer receive(std::span<char> into);
  Transfer send(Output& output);
  /// Sends close_notify, if the socket takes it; once the handshake is done.
  void finish();
  /// The peer must not take the end for an orderly one.
  void spoil() { is_broken_ = true; }

  /// Bytes are inside already: a read has them without waiting for the socket.
  bool has_unread() const { return has_unread_; }
  /// The last read can only go on once the socket takes bytes.
  bool read_wants_write() const { return read_wants_write_; }

  /// Null on the server's side.
  const TlsClient* client() const { return client_ ? client_->context.get() : nullptr; }
  /// OpenSSL has a session that may be resumed: for the callback. Takes ownership.
  static void remember(ssl_session_st* session);
  /// For TlsServer and tests.
  ssl_st* openssl() const { return ssl_.get(); }

 private:
  friend struct TlsWire;
  struct Free {
    void operator()(ssl_st* ssl) const;
  };
  struct Client {
    std::shared_ptr<const TlsClient> context;
    std::string memory_key;  // under which it keeps the session for the next connection
  };
  enum class Early : uint8_t {
    none,      // no early data comes, or no more
    expected,  // the client's hello will say
    arriving,
    ending,  // all of it has come, the end of the handshake hasn't
  };
  void attach();
  void take_turn() { in_turn_ = this; }
  void establish();
  Step handshake_stopped(int outcome);
  int greet();
  Transfer receive_early(std::span<char> into);
  Transfer finish_handshake();
  Transfer read_stopped();
  Transfer write_stopped();
  /// OpenSSL's writes always succeed, and what the socket doesn't take waits in `unsent_`: OpenSSL would break the
  /// connection if it had to answer a key update (RFC 8446 section 4.6.3) while a write of ours waits.
  bool takes_all() const { return is_established_ && !is_early(); }
  bool push_unsent();
  bool must_write();
  Transfer receive_records(std::span<char> into);
  void keep_unsent(const char* from, size_t size);
  Transfer broken();
  static void look_at(int is_written, int version, int type, const void* bytes, size_t size, ssl_st*, void*) noexcept;

  /// Records, or the rest of one, that the socket has yet to take.
  struct Unsent {
    std::string bytes;
    size_t sent = 0;     // of `bytes`
    size_t carried = 0;  // bytes of the Output that are in them; they leave the Output once all is sent
  };

  std::unique_ptr<ssl_st, Free> ssl_;
  std::shared_ptr<const TlsServer> server_;  // of its snapshot, which a reload may replace at any time; or:
  std::unique_ptr<const Client> client_;
  std::unique_ptr<const TlsPeerCertificate> certificate_;
  std::unique_ptr<Unsent> unsent_;  // null: nothing
  std::string_view reason_;
  TlsFault fault_ = TlsFault::other;
  int fd_;
  int error_ = 0;            // errno of the last read or write that failed
  bool is_drained_ = false;  // the socket had less than was asked for: another read would only say so
  bool has_unread_ = false;
  bool read_wants_write_ = false;
  bool is_established_ = false;
  bool is_broken_ = false;
  uint8_t key_updates_ = 0;  // of the peer, since it last sent data
  uint16_t carried_ = 0;     // bytes of the Output that were in `unsent_`, all of which is sent now
  Early early_ = Early::none;
  bool early_write_waits_ = false;  // begun beside the handshake: it must end before the handshake writes
  bool must_finish_ = false;        // once the handshake is done

  static thread_local TlsSession* in_turn_;  // whose call into OpenSSL is under way on this thread
};

}  // namespace weir::net
