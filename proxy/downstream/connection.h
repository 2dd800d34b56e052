#pragma once

#include <memory>
#include <vector>

#include "async/sleep.h"
#include "downstream/gateway.h"
#include "downstream/stream.h"
#include "exchange/wire.h"
#include "http/flood_guard.h"
#include "net/proxy_protocol.h"
#include "net/socket.h"

namespace weir::downstream {

/// A client's connection: socket, codec, and the streams that run on it: one at a time over HTTP/1, many over HTTP/2.
/// Idle, it owns no buffer and no arena. `serve` reads; each stream has a task of its own, since a client may leave, or
/// ask more, while it is answered. Made and destroyed by its Gateway.
class Connection final : public ListNode, public http::CodecEvents {
 public:
  Connection(Gateway& gateway, int fd, const net::Address& peer, std::optional<ErrorCode> refusal,
             bool counted_by_client, std::unique_ptr<const net::ProxyHeader> header);
  ~Connection() override;

  /// Whether no exchange runs and nothing has been read of the next one.
  bool is_idle() const { return streams_.is_empty() && codec_->is_idle(); }
  /// The client has yet to take bytes: those in the output, or those that the kernel holds for it.
  bool is_owed() const { return wire_.is_backed_up() || (peer_.is_ip() && socket_.undelivered() > 0); }
  /// Says that no new stream is wanted, where the protocol has words for it between two answers. Once is enough.
  void drain();
  /// Its WebSockets say that they go, and end; false when it has none.
  bool part();
  /// Of its tunnels, those whose route `routes` doesn't have part then.
  void part_strays(const RouteTable& routes, Time then);
  /// The client takes nothing any more: gives everything up.
  void abort(Flag flag);
  void close();
  /// Bars a client that would not get in any more, since the listener asks for other certificates now.
  void vet();
  bool is_barred() const { return is_barred_; }
  /// Gateway::vetting() when its client was last looked at: of one that is barred, by which vetting.
  uint32_t vetted() const { return vetted_; }
  /// Called from time to time: the second time in a row that nothing has come and nothing is under way, gives back the
  /// memory that is only needed for requests.
  void rest();

  // For its streams.
  Gateway& gateway() const { return gateway_; }
  http::Codec& codec() const { return *codec_; }
  Wire& wire() { return wire_; }
  void body_taken(Stream& stream, size_t bytes);
  /// The head of its answer is about to be sent: will the connection close after it?
  void before_answer(Stream& stream);
  void tunnel_opened();
  void ended(Stream& stream);
  /// Where the client connected to: the PROXY header's word, else the socket's own address.
  net::Address local_address() const;

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
  void speak_http2();
  [[gnu::noinline]] Task<bool> arrive();  // its frame is no part of serve's, which idle connections keep
  [[gnu::noinline]] void receive();       // the same of what it holds meanwhile
  void begin(const Slice& bytes);
  void feed(Slice bytes);
  void stash(const Slice& bytes);
  void feed_stash();
  bool has_stash() const { return stash_ && !stash_->is_empty(); }
  void client_finished();
  void refuse(Error error);
  bool must_pause() const;
  Signal* pause();
  [[gnu::noinline]] Task<> wait_paused();  // as that of `arrive`
  void on_alarm();
  void idled();
  void late(Stream& stream, const Error& error);
  void late_head(Stream& stream, const Error& error);
  void watch_progress();
  void wait_idle();
  bool is_delivering();
  bool is_still_sending();
  Task<> wait_drained();

  // Codec events.
  http::RequestHead& begin_request(http::StreamId id) override;
  void on_request(http::StreamId id, http::BodySize body) override;
  http::ResponseHead* begin_response(http::StreamId) override { return nullptr; }
  void on_interim(http::StreamId) override {}
  void on_response(http::StreamId, http::BodySize) override {}
  void on_data(http::StreamId id, Slice data) override;
  void on_end(http::StreamId id, http::Headers* trailers) override;
  void on_reset(http::StreamId id, Error error) override;
  void on_half_wasted() override;
  Stream* find(http::StreamId id);
  std::vector<Stream*>::iterator place_of(http::StreamId id) const;

  // Ends.
  void settle();
  void bury(Stream& stream);
  void bury_all(Flag flag);
  void linger();
  void finish_writing();

  Gateway& gateway_;
  net::Socket socket_;
  Wire wire_;
  std::unique_ptr<http::Codec> codec_;
  net::Address peer_;
  const std::unique_ptr<const net::ProxyHeader> header_;  // null: none was expected
  State state_ = State::open;
  std::optional<ErrorCode> refusal_;  // every request is answered with it
  const bool counted_by_client_;
  bool has_begun_ = false;  // it is known which version the client speaks
  enum class Rest : uint8_t { awake, quiet, resting } rest_ = Rest::awake;
  bool is_barred_ = false;     // no request is served any more
  bool is_worn_ = false;       // too many of a proxy's streams were wasted
  bool we_close_ = false;      // the last response said so, and the client may not have known
  bool has_received_ = false;  // since the last look at a client that lingers
  uint8_t lingers_ = 0;        // looks that found such a client sending
  uint16_t looks_ = 0;         // in a row that found the client to have taken nothing of what the kernel holds for it
  uint32_t delivered_ = 0;     // bytes that the client had acknowledged at the last look, modulo 2^32
  uint32_t requests_ = 0;
  uint32_t vetted_;
  List<Stream> streams_;                         // the oldest in front
  std::unique_ptr<std::vector<Stream*>> by_id_;  // the same, over HTTP/2
  std::unique_ptr<Output> stash_;                // bytes that wait for an exchange to end; most clients never have any
  Signal resume_;
  Alarm<Connection, &Connection::on_alarm> alarm_;
  Task<> task_;
  Task<> drained_;  // runs while no stream is left and the client has yet to take bytes
};

}  // namespace weir::downstream
