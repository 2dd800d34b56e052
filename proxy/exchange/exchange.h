#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "async/loop.h"
#include "base/arena.h"
#include "base/lender.h"
#include "exchange/access_record.h"
#include "exchange/attempts.h"
#include "exchange/body.h"
#include "exchange/facts.h"
#include "exchange/filter.h"
#include "exchange/grpc.h"
#include "exchange/route.h"
#include "exchange/snapshot_ref.h"
#include "http/message.h"
#include "net/address.h"
#include "net/splice_pipe.h"

namespace weir {

namespace store {
class Store;
}
namespace upstream {
class ConnectionPool;
}
class Backlog;
class Child;
class ReplayBuffer;
class TaskGroup;

/// What a worker lends to its exchanges. One thread.
struct WorkerContext {
  Loop& loop;
  BlockPool& blocks;                                // 8 KiB: arenas, heads
  BlockPool& buffers;                               // 64 KiB: reads, bodies
  store::Store& store;                              // what the configuration names: embedded, or shared by a fleet
  store::Store& local_store;                        // this process' own: what `on_store_failure: local` uses
  upstream::ConnectionPool* connections = nullptr;  // idle ones to upstreams
  unsigned index = 0;
  TaskGroup* background = nullptr;  // what runs without a client; drained at shutdown, cancelled at its deadline
  BlockRef reading{};
  net::SplicePipes splice_pipes{};
  Lender lender{};  // of bytes that workers share

  /// The block that the next read goes into. All reads of a worker share one, the warmest memory there is, unless
  /// somebody has kept a slice of it.
  BlockRef read_block() {
    if (!reading || reading.is_shared()) reading = buffers.take();
    return reading;
  }
};

/// What the client's TLS handshake came to.
struct ClientTls {
  std::string_view version;           // "TLSv1.3"
  std::string_view cipher;            // "TLS_AES_128_GCM_SHA256"
  std::string_view server_name;       // SNI; "" = none was sent
  bool asks_for_certificate = false;  // the listener does, of all clients
  // Of the client's certificate, which was verified; "" without one.
  std::string_view subject;      // "CN=ann,O=Example"
  std::string_view names;        // its DNS, e-mail and URI names, separated by ", "
  std::string_view fingerprint;  // SHA-256, lower-case hex
  std::string_view certificate;  // base64 of its DER form
};

/// Who sent the request. Texts live as long as the exchange.
struct Client {
  net::Address peer;        // the socket's other end
  std::string_view ip;      // of the client itself: behind trusted proxies, the right-most stranger
  bool is_trusted = false;  // the peer is one of `trusted_proxies`
  std::string_view listener;
  uint16_t local_port = 0;
  bool is_encrypted = false;       // came over TLS
  bool is_early = false;           // the request came before the handshake was done: it may be a replay
  const ClientTls* tls = nullptr;  // how; null when it came in the clear
  // What a trusted proxy says of the URL that its own client asked for, and what the upstream hears; "" = nothing.
  std::string_view scheme_told;  // "https"
  std::string_view url_told;     // scheme, host and port, when the request's own URL doesn't say the same

  /// Of the URL that the client asked for, as far as anybody is to be believed: "http" or "https".
  std::string_view scheme() const {
    if (!scheme_told.empty()) return scheme_told;
    return is_encrypted ? "https" : "http";
  }
};

struct Response {
  explicit Response(Arena& arena) : head(arena) {}
  http::ResponseHead head;
  BodyPtr body;  // owns the attempt that feeds it
};

/// The client's `Expect: 100-continue` (RFC 9110 section 10.1.1).
enum class Expectation : uint8_t {
  none,      // the client doesn't wait, or not any more
  open,      // whoever first reads the body answers it
  forwarded  // the endpoint was asked: its 100, or its response, answers it
};

/// Where the chain's last link sends the request: set by routing, changeable by filters before `next`.
struct Destination {
  std::string_view upstream;     // lives as long as the snapshot
  bool is_only_untried = false;  // an endpoint that has had an attempt won't do
};

/// The way back to the client, for what doesn't wait for the response's head.
class ClientSide {
 public:
  virtual ~ClientSide() = default;
  /// Sends a 1xx now (not to HTTP/1.0). No commit.
  virtual void inform(const http::ResponseHead& head) = 0;
  /// Where the client connected to; nothing when that isn't known.
  virtual net::Address local_address() const { return {}; }
  /// Ends a tunnel: tells both ends that it goes, where they are between two frames. False when this is none.
  virtual bool part() { return false; }
  /// What limits how far the response may be read ahead of the client, over all streams of the client's connection.
  /// Null: the connection carries one stream, which its own limits hold.
  virtual Backlog* backlog() { return nullptr; }
  /// False while nobody is known to read the response.
  virtual bool has_reader() const { return true; }
  /// A limit that counts by client makes the exchange wait for its client's turn.
  virtual void delayed() {}
};

/// An error of Weir's own making that is a response, and whose. Texts live as long as the exchange.
struct Failure : Error {
  Failure(const Error& error) : Error(error) {}
  std::string_view upstream{};  // that could not respond; "" = the failure is none of an upstream's
  std::string_view endpoint{};  // of the last attempt; "" = it came to none
};
/// What a response of Weir's own says: `detail`, and which upstream and limit it is about.
std::string_view detail_of(const Failure& failure, Arena& arena);

/// One request and its response: gathers the parts, each of which has its own state. Lives in the arena of
/// its own, made by `downstream/connection` and destroyed there. One thread.
class Exchange {
 public:
  /// With a parent its attempts and its record are the parent's.
  Exchange(Arena& arena, WorkerContext& worker, ClientSide* client_side, Exchange* parent = nullptr);
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  ~Exchange();

  Arena& arena() { return arena_; }
  Arena* frame_arena() const { return &arena_; }
  Loop& loop() { return worker.loop; }

  /// Answers from here: replaces the response. `body` must live as long as the exchange (a literal, or in its arena).
  void respond(uint16_t status, std::string_view content_type = {}, std::string_view body = {});
  /// Answers with an Error: a head with its status now, its page at commit.
  void fail(Error error);
  /// What the log has of a failure, or of an upstream's own error page, in whose place a filter answers.
  struct Replaced {
    std::optional<Failure> failure;  // none: the upstream responded
    std::string_view text;           // "status 503 of upstream api, endpoint 127.0.0.1:9001"
  };
  /// Before the answer takes its place. Texts are in `arena`.
  Replaced replaced(Arena& arena) const;
  /// After that.
  void answered_for(const Replaced& replaced);
  /// Sends a 1xx at once.
  void inform(const http::ResponseHead& head) {
    if (client_side_) client_side_->inform(head);
  }
  /// Where the client connected to; nothing when that isn't known.
  net::Address local_address() const { return client_side_ ? client_side_->local_address() : net::Address(); }

  /// What limits how far the response is read ahead of the client; null: nothing but the response's own limits.
  Backlog* backlog() const { return client_side_ ? client_side_->backlog() : nullptr; }
  bool has_reader() const { return !client_side_ || client_side_->has_reader(); }
  /// Before a wait for the client's own turn (throttle, queue of a keyed limit): whoever shares this exchange's work
  /// with other clients lets these go.
  void tell_delay() {
    if (client_side_) client_side_->delayed();
  }
  /// Ends a tunnel with a word to both ends; false when this is none. Who must end still has to be cut.
  bool part() { return client_side_ && client_side_->part(); }

  /// Before the first `next` of whoever may want a second try: keeps the request head, and from here on up to
  /// `replay` bytes of its body.
  struct Mark {
    http::RequestHead request;
    Destination destination;
    Facts facts;
    ReplayBuffer* replay = nullptr;  // the newest at the mark
    bool has_body = false;           // then that one is its own
  };
  Mark mark(size_t replay);
  /// False once more of the request's body has gone by than was kept.
  bool can_rewind(const Mark& mark) const;
  /// True when all of the request's body has come, and was kept: no run from `mark` waits for the client.
  bool is_whole(const Mark& mark) const;
  /// Everything as it was at `mark`, the old response dropped, and what filters below have put around the request's
  /// body. False, and nothing has changed, when the body can't be had again.
  bool rewind(const Mark& mark);

  using ChildPtr = std::unique_ptr<Child>;
  /// A second run of the request as it was at `mark`, beside this one, which outlives it. Null when its body isn't
  /// whole yet, or past what was kept.
  ChildPtr fork(const Mark& mark);
  /// The same without a client, for a task of `worker.background`: may outlive this one.
  ChildPtr detach(const Mark& mark);
  /// The request's fields as the filters behind the caller sent them, once there is a response: those of the adopted
  /// child, if there is one.
  const http::Headers& sent_headers() const;
  /// Takes over what a child was answered. Its task is over; it lives on with the response. Of one that was detached
  /// the attempts are now this one's to tell.
  void adopt(ChildPtr child);

  /// An attempt that sends the request's body, as long as it lives.
  class Upload {
   public:
    explicit Upload(Exchange& exchange) : exchange_(exchange) { ++exchange_.uploads_; }
    Upload(const Upload&) = delete;
    Upload& operator=(const Upload&) = delete;
    ~Upload() {
      --exchange_.uploads_;
      exchange_.forget_body();
    }

   private:
    Exchange& exchange_;
  };
  /// The response begins: there is no other try. What was kept of the request's body goes, once it is sent.
  void commit();

  WorkerContext& worker;
  Client client;
  http::RequestHead request;
  BodyPtr request_body;
  Response response;
  std::optional<Failure> failure;  // the response is an error of Weir's own making
  std::optional<Failure> cause;    // in place of which a filter answered: the first one, for the log
  const Route* route = nullptr;
  KeptSnapshot* snapshot = nullptr;  // what it began with; whoever made the exchange keeps it
  Destination destination;
  Attempts& attempts;
  Facts facts;
  AccessRecord& record;
  Expectation expectation = Expectation::none;
  GrpcForm call = GrpcForm::none;  // how the client calls by gRPC: POST over HTTP/2, or behind the filter grpc_web
  std::string_view id;             // the request id; "" without the filter
  Time deadline = Time::max();     // of the whole exchange
  Time answer_by = Time::max();    // of an attempt's response head; set by who would try another
  Duration answer_within{};        // of which `answer_by` is the end; a queue may have used some of it. 0 = not known
  /// What an attempt has until its response's head is there.
  Time attempt_deadline() const { return std::min(deadline, answer_by); }

 private:
  void forget_body();

  Arena& arena_;
  ClientSide* client_side_;
  Attempts own_attempts_;
  AccessRecord own_record_;
  InArena<ReplayBuffer> replay_;  // the newest; each keeps the one that it reads from
  ChildPtr adopted_;              // the response is its
  uint32_t uploads_ = 0;
  bool is_committed_ = false;
};

}  // namespace weir
