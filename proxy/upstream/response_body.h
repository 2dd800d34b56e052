#pragma once

#include "async/sleep.h"
#include "exchange/exchange.h"
#include "exchange/pipe.h"
#include "exchange/wire.h"
#include "upstream/connection.h"
#include "upstream/upstream.h"

namespace weir::upstream {

/// Whose turn it was when an attempt ended: who had to act before it could go on. Only the endpoint's turn counts
/// against the endpoint, its upstream and the route.
enum class Turn : uint8_t {
  endpoint,
  client,   // its deadline passed, bytes of its upload were missing, or it didn't read
  neither,  // a tunnel, or time that other waits had used up
};

/// The response of one attempt, a stream on a connection to its endpoint, and its owner: the endpoint's lease, the
/// connection, the upload that may still run, the permits, the deadline. Read to its end, it gives the connection back;
/// destroyed before, it closes it.
class ResponseBody final : public ListNode, public Body {
 public:
  ResponseBody(Exchange& exchange, Attempt& record, const Upstream& upstream, EndpointLease lease);
  ~ResponseBody() override;

  /// Sends the request over `connection` and lets the answer come.
  void send(Connection& connection);

  /// The response's head is whole (then `exchange.response.head` has it), or the attempt has failed.
  http::StreamId stream() const { return stream_; }
  bool is_settled() const { return has_head_ || pipe_.is_settled(); }
  bool has_head() const { return has_head_; }
  Signal::Awaiter changed() { return pipe_.changed(); }
  /// Why it failed before its head. Only then.
  Error error() { return pipe_.take().error(); }
  /// Nothing of an answer had come when a reused connection broke, with all that was on it.
  bool died_on_reuse() const;
  /// The same of a fresh connection, by the endpoint's doing. An HTTP/2 endpoint's settings are no part of an answer.
  /// After `excuse_endpoint`, before `settle`.
  bool ended_unanswered(const Error& error) const;
  /// As `EndpointLease::excuse_upstream`.
  void excuse_upstream() { lease_.excuse_upstream(); }
  /// A failure says nothing about the endpoint. Before `settle`.
  void excuse_endpoint() { turn_ = Turn::neither; }
  /// Ends the attempt, without the endpoint: to send once more.
  EndpointLease give_up();
  /// The attempt failed before its head: settles its record.
  void settle(const Error& error);

  Task<Result<Chunk>> read() override;
  http::BodySize size() const override { return size_; }
  bool is_exact() const override { return !has_excess_; }
  void allow_splice() override;
  void limit_by(Backlog* backlog) override;

  // From the connection.
  http::ResponseHead& begin_head();
  void interim();
  void answered(http::BodySize size);
  void push(Slice data) {
    received_ += data.size();
    ++moves_;
    came();
    pipe_.push(std::move(data));
  }
  void finish(http::Headers* trailers) { pipe_.finish(trailers); }
  /// The connection or the stream broke.
  void fail(const Error& error) { fail(error, turn_at_break(error)); }
  /// The endpoint reset the stream. That is an answer: the connection is alive.
  void reset(const Error& error) {
    was_reset_ = true;
    fail(error);
  }
  bool was_reset() const { return was_reset_; }
  /// The request asked for a tunnel, and this is it.
  bool is_tunnel() const { return size_.kind == http::BodySize::Kind::tunnel; }
  bool is_full() const { return pipe_.is_full(); }
  /// Bytes that may be read for it now.
  size_t room() const { return pipe_.room(); }
  /// Where bytes go that nobody has to see; null when they are to be pushed.
  net::SplicePipe* splice() const { return pipe_.splice(); }
  void spliced() {
    ++moves_;
    came();
    pipe_.touch();
  }
  void exceeded() { has_excess_ = true; }
  void answering() { has_answered_ = true; }
  bool is_answering() const { return has_answered_; }
  /// Since when the endpoint could have sent more of the response.
  Time waits_since() const { return waits_since_; }
  /// The endpoint let a timeout pass that was its own.
  bool has_timed_out() const;
  /// Bytes that came and that nobody has taken.
  size_t unread() const { return pipe_.bytes(); }

 private:
  void fail(const Error& error, Turn turn);
  Turn turn_at_break(const Error& error) const;
  Turn turn_at_answer() const;
  bool is_client_slow() const;
  Turn turn_at_deadline() const;
  bool has_had(Duration allowed) const;
  void answered_badly();
  bool is_reader_behind() const;
  bool is_clients_time_over() const;
  Time turn_began() const;
  void came() {
    if (unread_since_ == Time::max()) unread_since_ = exchange_.loop().now();
  }
  void caught_up();
  bool send_at_once();
  void widen();
  Task<> upload();
  Task<Result<>> until_granted();
  void expired();
  bool awaits_client() const;
  /// What a call sends, and when, is its own affair.
  bool lacks_upload() const { return !is_call_ && awaits_client(); }
  void look();
  void cut();
  Time deadline() const;
  void watch_deadline();
  void pass_expectation();
  void await_head();
  void report(Outcome outcome);
  Duration patience() const;
  bool may_be_silent() const { return is_call_ || is_tunnel(); }
  void arm(Duration patience);
  void end(Outcome outcome);
  void release();

  Exchange& exchange_;
  Attempt& record_;
  const Upstream& upstream_;
  EndpointLease lease_;
  Pipe pipe_;
  Connection* connection_ = nullptr;
  http::StreamId stream_ = 0;
  http::BodySize size_;
  bool has_answered_ = false;  // bytes of an answer have come
  bool was_reset_ = false;     // by the endpoint, as a stream
  bool has_head_ = false;
  bool has_excess_ = false;  // more came than the answer
  bool has_parted_ = false;  // a tunnel that was silent for too long
  bool is_over_ = false;
  bool has_asked_ = false;      // `Expect: 100-continue` was sent, and neither a response nor the body has come
  bool is_call_ = false;        // gRPC: head and messages come when the application has any
  Turn turn_ = Turn::endpoint;  // when the attempt failed
  uint64_t sent_ = 0;           // bytes of the request's body
  uint64_t received_ = 0;       // bytes of the response's body
  size_t granted_ = 0;          // bytes of the stream's window beyond the first, promised by the client's backlog
  Backlog* backlog_ = nullptr;  // of the client that reads the response
  uint64_t sent_when_armed_ = 0;
  uint64_t moves_ = 0;         // pieces of a response that came
  uint64_t moved_before_ = 0;  // of request and response, at the last look
  BodyWaits upload_waits_;
  Duration waited_for_100_{};        // by the client, of those waits
  Time unread_since_ = Time::max();  // the reader hasn't taken all that has come; max = it has
  Time was_behind_ = Time::min();    // when the reader had taken all, after a long time
  Time patience_over_ = Time::max();
  Time waits_since_{};
  Time deadline_;
  const Time answer_by_;  // the head
  Alarm<ResponseBody, &ResponseBody::expired> alarm_;
  Alarm<ResponseBody, &ResponseBody::look> looks_;  // at the endpoint's health
  Task<> upload_;
};

}  // namespace weir::upstream
