#pragma once

#include "downstream/request_body.h"
#include "downstream/serving.h"
#include "exchange/exchange.h"
#include "exchange/pipe.h"
#include "http/codec.h"

namespace weir::downstream {

class Connection;

/// One exchange on a client's connection, with all that it owns: recycled by its gateway. The members' order is the
/// order of dependence: the task goes first, the arena last.
class Stream final : public ClientSide {
 public:
  enum class Phase : uint8_t {
    head,       // its request's head is being read
    handling,   // the chain runs, nothing has been sent
    answering,  // the response's head is out
  };

  Stream(Connection& connection, WorkerContext& worker, ServingRef serving, http::StreamId id);

  void inform(const http::ResponseHead& head) override;
  net::Address local_address() const override;
  Arena* frame_arena() const { return const_cast<Arena*>(&arena); }

  Connection& connection;
  const http::StreamId id;
  Phase phase = Phase::head;
  bool wants_continue = false;  // `Expect: 100-continue`, not settled yet
  bool is_cut_short = false;    // the response ended before its end

  Arena arena;
  ServingRef serving;
  Pipe body;
  Exchange exchange;
  BodyPace pace;
  struct Turn : Ready {
    Stream* stream;
  } turn;  // first: begin; then: it has ended
  Task<> task;
};

}  // namespace weir::downstream
