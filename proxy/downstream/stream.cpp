#include "downstream/stream.h"

#include "downstream/connection.h"

namespace weir::downstream {

Stream::Stream(Connection& connection, WorkerContext& worker, ServingRef serving, http::StreamId id)
    : connection(connection),
      id(id),
      arena(worker.blocks),
      serving(std::move(serving)),
      body(worker.loop, worker.blocks),
      exchange(arena, worker, this) {
  turn.stream = this;
}

void Stream::inform(const http::ResponseHead& head) { connection.inform(*this, head); }

net::Address Stream::local_address() const { return connection.local_address(); }

}  // namespace weir::downstream
