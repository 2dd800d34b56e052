#pragma once

#include "async/loop.h"
#include "exchange/body.h"
#include "http/codec.h"
#include "net/socket.h"

namespace weir {

/// One side's way out: where a codec's bytes go, and what to say when they can't. All that it refers to outlives it.
struct Wire {
  Loop& loop;
  net::Socket& socket;
  Output& output;
  http::Codec& codec;
  Duration patience;  // for a peer that takes nothing
  Error broken;       // the socket failed
  Error stalled;      // patience ran out
};

/// Writes all of `wire.output`, waiting for the peer as long as it takes something. Frames from `body`'s arena.
Task<Result<>> flush(const Body& body, Wire& wire);

/// Reads `body` to its end and sends it, in as few writes as its arrival allows: what is at hand leaves together,
/// the head that waits in the output too. Counts the bytes. An Error is the body's own or the wire's.
Task<Result<>> send_body(Body& body, Wire& wire, http::StreamId stream, uint64_t& bytes);

}  // namespace weir
