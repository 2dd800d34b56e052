#pragma once

#include <memory>

#include "async/sleep.h"
#include "downstream/gateway.h"
#include "downstream/stream.h"
#include "http/h1_codec.h"
#include "net/socket.h"

namespace weir::downstream {

/// A client's connection: socket, codec, and the exchange that runs on it. Idle, it owns no buffer and no arena.
/// `serve` reads; each exchange is a task of its own (`run`), since a client may leave, or pipeline, while its
/// request is answered. Made and destroyed by its Gateway.
class Connection final : public ListNode, http::CodecEvents {
 public:
  Connection(Gateway& gateway, int fd, const net::Address& peer, std::optional<ErrorCode> refusal,
             bool counted_by_client);
  ~Connection() override;

  /// Whether no exchange runs and nothing has been read of the next one.
  bool is_idle() const { return !stream_ && codec_.is_idle(); }

  // For its streams.
  void inform(Stream& stream, const http::ResponseHead& head);
  void body_wanted(Stream& stream);
  void body_taken();
  /// The client takes nothing any more: gives everything up.
  void abort(Flag flag);
  void close();
  const net::Address& peer() const { return peer_; }

 private:
  enum class State : uint8_t {
    open,
    deaf,       // the client has sent FIN, or bytes that break the rules: nothing more is read
    lingering,  // all is sent; what still comes is dropped, so that the kernel doesn't reset what the client has yet to
                // read
    closed,
  };

  // Reading.
  Task<> serve();
  Task<bool> arrive();
  void receive();
  void feed(Slice bytes);
  void stash(const Slice& bytes);
  void feed_stash();
  bool has_stash() const { return stash_ && !stash_->is_empty(); }
  void client_finished();
  void refuse(Error error);
  bool must_pause() const;
  void on_alarm();
  void check_pace();
  void watch_progress();

  // Codec events.
  http::RequestHead& begin_request(http::StreamId id) override;
  void on_request(http::StreamId id, http::BodySize body) override;
  http::ResponseHead& begin_response(http::StreamId) override { std::unreachable(); }
  void on_interim(http::StreamId) override {}
  void on_response(http::StreamId, http::BodySize) override {}
  void on_data(http::StreamId id, Slice data) override;
  void on_end(http::StreamId id, http::Headers* trailers) override;
  void on_reset(http::StreamId id, Error error) override;
  void settle_expectation(http::BodySize body);

  // Answering.
  void begin(Stream& stream);
  Task<> run(Stream& stream);
  Task<> answer(Stream& stream);
  void send_head(Stream& stream);
  void ended(Stream& stream);
  void bury(Stream& stream);
  void linger();

  Gateway& gateway_;
  net::Socket socket_;
  Output output_;
  http::H1Codec codec_;
  net::Address peer_;
  State state_ = State::open;
  std::optional<ErrorCode> refusal_;  // every request is answered with it
  const bool counted_by_client_;
  bool we_close_ = false;  // the last response said so, and the client may not have known
  Stream* stream_ = nullptr;
  std::unique_ptr<Output> stash_;  // pipelined bytes that wait for the exchange to end; most clients never have any
  Signal resume_;
  Alarm<Connection, &Connection::on_alarm> alarm_;
  Task<> task_;
};

}  // namespace weir::downstream
