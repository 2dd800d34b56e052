#pragma once

#include <memory>

#include "async/event.h"
#include "async/sleep.h"
#include "exchange/exchange.h"
#include "exchange/wire.h"
#include "http/h1_codec.h"
#include "net/socket.h"
#include "upstream/endpoint.h"

namespace weir::upstream {

class ConnectionPool;
class ResponseBody;

/// A connection to an endpoint: socket and codec. It is read all the time, lent or idle, which is how its end is
/// noticed: an idle one that becomes readable is discarded (bytes that nobody asked for would answer the next
/// request, RFC 9112 section 9.2 and 9.3). Owned by its worker's pool.
class Connection final : public ListNode, http::CodecEvents {
 public:
  Connection(WorkerContext& worker, ConnectionPool& pool, std::shared_ptr<EndpointState> endpoint, int fd);
  ~Connection() override;

  net::Socket& socket() { return socket_; }
  Output& output() { return output_; }
  http::Codec& codec() { return codec_; }
  EndpointState& endpoint() const { return *endpoint_; }
  uint32_t requests() const { return requests_; }

  /// It is connected: starts to read.
  void start();
  /// What arrives from now on is the answer to `response`'s request.
  void lend(ResponseBody& response);
  /// The answer is over, or nobody wants it any more: back to the pool if another may follow, else closed.
  void give_back();
  /// Room has come in the response's pipe.
  void resume() { resume_.notify(); }
  /// Enough of the answer is still to come, and nobody but the client has to see it.
  bool may_splice(http::StreamId stream) const;
  /// Bytes of an answer have come since it was lent.
  bool has_answered() const { return has_answered_; }

  void wait_idle(Duration timeout) { idle_alarm_.start(timeout); }
  void stop_waiting() { idle_alarm_.stop(); }
  bool is_idle = false;  // the pool's mark: it counts among the endpoint's idle ones

 private:
  Task<> serve();
  void receive();
  void splice(net::SplicePipe& pipe);
  void stopped(const net::Transfer& transfer);
  void feed(Slice bytes);
  void broken(Error error);
  void expired();
  bool is_reusable() const;

  http::RequestHead& begin_request(http::StreamId) override { std::unreachable(); }
  void on_request(http::StreamId, http::BodySize) override {}
  http::ResponseHead& begin_response(http::StreamId stream) override;
  void on_interim(http::StreamId stream) override;
  void on_response(http::StreamId stream, http::BodySize body) override;
  void on_data(http::StreamId stream, Slice data) override;
  void on_end(http::StreamId stream, http::Headers* trailers) override;
  void on_reset(http::StreamId stream, Error error) override;

  WorkerContext& worker_;
  ConnectionPool& pool_;
  std::shared_ptr<EndpointState> endpoint_;
  net::Socket socket_;
  Output output_;
  http::H1Codec codec_;
  ResponseBody* response_ = nullptr;
  uint32_t requests_ = 0;
  bool has_answered_ = false;
  bool was_large_ =
      false;  // the last answer: the next one's head is read with little of its body, which will be spliced
  bool is_closed_ = false;
  Signal resume_;
  Alarm<Connection, &Connection::expired> idle_alarm_;
  Task<> task_;
};

}  // namespace weir::upstream
