#pragma once

#include "downstream/request_body.h"
#include "downstream/serving.h"
#include "downstream/tunnel.h"
#include "exchange/exchange.h"
#include "exchange/pipe.h"
#include "http/codec.h"

namespace weir::downstream {

class Connection;

/// One exchange on a client's connection, with all that it owns, from its request's first byte to its answer's last.
/// Recycled by its gateway. The members' order is the order of dependence: the task goes first, the arena last.
class Stream final : public ListNode, public ClientSide {
 public:
  enum class Phase : uint8_t {
    head,       // its request's head is being read
    handling,   // the chain runs, nothing has been sent
    answering,  // the response's head is out
  };

  Stream(Connection& connection, WorkerContext& worker, ServingRef serving, http::StreamId id);

  /// What is known of the request is whole, or wrong: the chain runs in a turn of its own.
  void begin();
  void inform(const http::ResponseHead& head) override;
  net::Address local_address() const override;
  Backlog* backlog() override;

  /// RFC 9110 section 10.1.1. The 100 is sent when somebody first reads the body; an answer that doesn't need the body
  /// takes its place.
  void settle_expectation(http::BodySize size);
  /// Somebody reads the request's body and there is nothing yet.
  void body_wanted();
  /// Somebody has taken so much of it.
  void body_taken(size_t bytes);
  void receive(Slice data);

  /// When `is_late` must be asked next; max = not at all.
  Time due() const;
  /// The head took too long, or the body comes too slowly: why.
  std::optional<Error> is_late();

  bool part() override;
  /// Parts by Weir's own decision, which the log then tells: `shutting_down`.
  bool withdraw();
  /// A tunnel whose route is gone parts then, and is cut a moment later; Time::max(): it stays. One that has parted
  /// goes.
  void stray_until(Time then) {
    if (!has_parted_) strays_until_ = then;
  }
  Time strays_until() const { return strays_until_; }

  /// Stops its task. What it holds goes with it.
  void silence() { task_.reset(); }
  bool is_tunnel() const { return exchange.response.head.status == 101; }
  Arena* frame_arena() const { return const_cast<Arena*>(&arena); }

  Connection& connection;
  const http::StreamId id;
  Phase phase = Phase::head;
  bool is_cut_short = false;  // the response ended before its end

  Arena arena;
  ServingRef serving;
  Pipe body;
  Exchange exchange;
  BodyPace pace;

 private:
  Task<> run();
  Task<> answer();
  bool may_send_slowly() const;
  std::optional<Error> strayed();
  void send_head();
  void check_refusal();

  Tunnel* tunnel_ = nullptr;  // one is asked for
  Time next_look_{};          // at the body's pace
  Time strays_until_ = Time::max();
  bool has_parted_ = false;
  struct Turn : Ready {
    Stream* stream;
  } turn_;  // first: begin; then: it has ended
  Task<> task_;
};

}  // namespace weir::downstream
