#pragma once

#include <memory>

#include "async/event.h"
#include "async/sleep.h"
#include "base/id_index.h"
#include "exchange/exchange.h"
#include "exchange/wire.h"
#include "net/socket.h"
#include "upstream/connection_faults.h"
#include "upstream/endpoint.h"
#include "upstream/liveness.h"

namespace weir::upstream {

class ConnectionPool;
class ResponseBody;

/// A connection to an endpoint: socket, codec, and the responses that come over it: one at a time over HTTP/1, many
/// over HTTP/2. It is read all the time, lent or idle, which is how its end is noticed: an idle HTTP/1 connection that
/// becomes readable is discarded (bytes that nobody asked for would answer the next request, RFC 9112 section 9.2 and
/// 9.3). Owned by its worker's pool.
class Connection final : public ListNode, public http::CodecEvents {
 public:
  /// Bytes of a response that an HTTP/2 endpoint may send ahead before anybody has read one.
  static constexpr uint32_t kStreamWindow = 8 * 1024;

  /// `identity`: of what is spoken on it; another won't do in its place.
  Connection(WorkerContext& worker, ConnectionPool& pool, std::shared_ptr<EndpointState> endpoint, int fd,
             uint64_t identity);
  ~Connection() override;

  net::Socket& socket() { return socket_; }
  Wire& wire() { return wire_; }
  http::Codec& codec() { return *codec_; }
  EndpointState& endpoint() const { return *endpoint_; }
  uint64_t identity() const { return identity_; }
  uint32_t requests() const { return requests_; }
  /// It is one request's: it began with the address of one client (PROXY protocol), or speaks HTTP/1.1 for the sake of
  /// that request.
  void tie() { is_tied_ = true; }
  bool is_tied() const { return is_tied_; }
  /// The endpoint has been out of service since the connection was made: it may have vanished without a word.
  bool predates_outage() const { return endpoint_->outages.load(std::memory_order_relaxed) != outages_; }
  /// No request runs on it.
  bool is_unused() const { return responses_.is_empty() && listeners_ == 0; }
  /// How many more requests may be sent on it now: one until the endpoint has said how many it takes (RFC 9113
  /// section 6.5.2), since what is too many would wait in the codec.
  size_t capacity() const;
  /// HTTP/1: nothing has arrived since the last response, neither bytes nor FIN. Otherwise it can only be closed.
  bool is_quiet();
  /// HTTP/2: handles what has arrived and wasn't read yet. The connection may be retired by that.
  void catch_up();
  /// HTTP/2: the endpoint isn't suspected to be dead.
  bool is_trusted() const { return !liveness_ || liveness_->is_trusted(); }
  void use(const PingSettings& pings) { liveness_->use(pings); }

  /// It is connected: speaks that version from here on, and starts to read.
  void start(http::Version version);
  /// What arrives from now on under its stream's id is the answer to `response`'s request.
  void lend(ResponseBody& response);
  /// The answer is over, `whole` and its request too; or nobody wants it any more.
  void give_back(ResponseBody& response, bool whole);
  /// Whether the endpoint takes a head of this size. Before it has said so, small ones are taken to be.
  bool takes(const http::RequestHead& head) const;
  /// The endpoint has taken nothing of any upload for a while, since one or more requests aren't read there.
  bool is_clogged() const;
  /// The request is on its way, under the id of its stream.
  void asked(ResponseBody& response);
  /// HTTP/1.1 in the clear: the endpoint closes the connection by an answer that it sent before any byte of the request
  /// had arrived, of whose body `sent` bytes have left. One system call.
  bool has_crossed(uint64_t sent) const;
  /// So many bytes of the answer were taken: room for more.
  void taken(ResponseBody& response, size_t bytes);
  /// Enough of the answer is still to come, and nobody but the client has to see it.
  bool may_splice(http::StreamId stream) const;

  /// The endpoint's first bytes, which over HTTP/2 tell what it can do, or the connection's end.
  bool has_heard() const { return has_heard_ || is_closed_; }
  bool is_closed() const { return is_closed_; }
  Signal::Awaiter heard() { return heard_.wait(); }
  /// Held by who waits for that: it keeps the connection.
  class Listening {
   public:
    explicit Listening(Connection& connection);
    Listening(const Listening&) = delete;
    Listening& operator=(const Listening&) = delete;
    ~Listening();

   private:
    Connection& connection_;
    const Time since_;
  };

  void wait_idle(Duration timeout) { idle_alarm_.start(timeout); }
  void stop_waiting() { idle_alarm_.stop(); }
  bool is_idle = false;      // the pool's mark: it counts among the endpoint's idle ones
  bool is_expected = false;  // the pool's mark: it has not said yet how many requests it takes

  // For Liveness.
  void ping();
  /// No new streams; who waits for this connection makes one of its own.
  void lost_trust();
  void regained_trust();
  /// A PING got no answer: the connection breaks, and its streams with it.
  void fell_silent();

 private:
  Task<> serve();
  bool must_pause() const;
  void receive();
  void splice(net::SplicePipe& pipe);
  void stopped(const net::Transfer& transfer);
  void feed(Slice bytes);
  void broken(Error error);
  void doubt(Time since, Liveness::Waited waited);
  void expired();
  void has_spoken();
  void fault(ConnectionFault fault);
  void has_reset();
  bool is_reusable() const;
  ResponseBody* find(http::StreamId stream);
  /// The one response of an HTTP/1 connection, if one is asked for.
  ResponseBody* sole();

  http::RequestHead& begin_request(http::StreamId) override { std::unreachable(); }
  void on_request(http::StreamId, http::BodySize) override {}
  http::ResponseHead* begin_response(http::StreamId stream) override;
  void on_interim(http::StreamId stream) override;
  void on_response(http::StreamId stream, http::BodySize body) override;
  void on_data(http::StreamId stream, Slice data) override;
  void on_end(http::StreamId stream, http::Headers* trailers) override;
  void on_reset(http::StreamId stream, Error error) override;
  void on_window_closed() override { window_closed_since_ = worker_.loop.now(); }
  void on_pong() override { liveness_->answered(); }

  WorkerContext& worker_;
  ConnectionPool& pool_;
  std::shared_ptr<EndpointState> endpoint_;
  net::Socket socket_;
  Wire wire_;
  std::unique_ptr<http::Codec> codec_;  // once it is connected
  List<ResponseBody> responses_;        // the oldest in front
  IdIndex<ResponseBody> streams_;       // the same by stream, over HTTP/2
  std::unique_ptr<Liveness> liveness_;  // HTTP/2 only
  const uint64_t identity_;
  const uint32_t outages_;  // of the endpoint, until the connection was made
  uint32_t requests_ = 0;
  int64_t lent_at_ = 0;  // bytes sent before the last request
  uint32_t listeners_ = 0;
  uint32_t resets_ = 0;  // that we have sent since
  Time resets_since_{};
  Time window_closed_since_ = Time::max();
  bool is_closed_ = false;
  bool is_tied_ = false;
  bool has_heard_ = false;
  bool was_large_ =
      false;  // the last answer: the next one's head is read with little of its body, which will be spliced
  Signal resume_;
  Signal heard_;
  Alarm<Connection, &Connection::expired> idle_alarm_;
  Task<> task_;
};

}  // namespace weir::upstream
