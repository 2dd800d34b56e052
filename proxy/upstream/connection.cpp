#include "upstream/connection.h"

#include "upstream/connection_pool.h"
#include "upstream/response_body.h"

namespace weir::upstream {

namespace {

/// A response's head may be larger than a request's: applications set cookies.
constexpr http::HeadLimits kHeadLimits{.request_line = 16 * 1024,
                                       .head_bytes = 128 * 1024,
                                       .fields = 500,
                                       .underscores = http::HeadLimits::Underscores::keep};

constexpr size_t kHeadRead = 8 * 1024;
constexpr size_t kWorthSplicing = 16 * 1024;  // of a large answer, what is left of it

}  // namespace

Connection::Connection(WorkerContext& worker, ConnectionPool& pool, std::shared_ptr<EndpointState> endpoint, int fd)
    : worker_(worker),
      pool_(pool),
      endpoint_(std::move(endpoint)),
      socket_(worker.loop, fd),
      output_(worker.blocks),
      codec_(http::Role::client, kHeadLimits, *this, output_),
      resume_(worker.loop),
      idle_alarm_(worker.loop, *this) {
  endpoint_->connections.fetch_add(1, std::memory_order_relaxed);
}

Connection::~Connection() { endpoint_->connections.fetch_sub(1, std::memory_order_relaxed); }

void Connection::start() {
  task_ = serve();
  task_.start();
}

void Connection::lend(ResponseBody& response) {
  response_ = &response;
  has_answered_ = false;
  ++requests_;
}

void Connection::give_back() {
  was_large_ = response_->splice() != nullptr;
  response_ = nullptr;
  resume_.notify();
  if (is_reusable()) {
    pool_.put(*this);
  } else {
    is_closed_ = true;
    pool_.retire(*this);
  }
}

bool Connection::is_reusable() const {
  return !is_closed_ && codec_.is_reusable() && codec_.is_idle() && output_.is_empty();
}

Task<> Connection::serve() {
  while (!is_closed_) {
    if (response_ && response_->is_full()) {
      co_await resume_.wait();
      continue;
    }
    co_await socket_.readable();
    receive();
  }
}

void Connection::receive() {
  if (auto* pipe = response_ ? response_->splice() : nullptr) return splice(*pipe);
  BlockRef block = worker_.read_block();
  const auto transfer = socket_.receive(block.space().first(was_large_ && !has_answered_ ? kHeadRead : block->size));
  if (transfer.state != net::Transfer::State::moved) return stopped(transfer);
  if (!response_) return broken({ErrorCode::protocol_error, Side::upstream, "bytes that no request asked for"});
  has_answered_ = true;
  const std::string_view bytes(block->bytes, transfer.bytes);
  feed(Slice(std::move(block), bytes));
}

/// The rest of the answer goes by unseen.
void Connection::splice(net::SplicePipe& pipe) {
  const auto stream = response_->stream();
  const auto transfer = pipe.fill(socket_, codec_.may_pass_in(stream));
  if (transfer.state != net::Transfer::State::moved) return stopped(transfer);
  codec_.passed_in(stream, transfer.bytes);
  response_->spliced();
}

bool Connection::may_splice(http::StreamId stream) const { return codec_.may_pass_in(stream) >= kWorthSplicing; }

/// Nothing came, or nothing will.
void Connection::stopped(const net::Transfer& transfer) {
  switch (transfer.state) {
    case net::Transfer::State::moved:
    case net::Transfer::State::blocked: return;
    case net::Transfer::State::failed:
      return broken({ErrorCode::connection_reset, Side::upstream, "the endpoint reset the connection"});
    case net::Transfer::State::ended: {
      const auto ended = response_ ? codec_.feed_end() : Result<>();
      return broken(ended ? Error{ErrorCode::connection_reset, Side::upstream,
                                  "the endpoint closed the connection without an answer"}
                          : ended.error());
    }
  }
}

void Connection::feed(Slice bytes) {
  while (!bytes.empty()) {
    const auto used = codec_.feed(bytes);
    if (!used) return broken(used.error());
    if (*used == 0) return;  // more than the answer: the codec won't be reused
    bytes.remove_prefix(*used);
  }
}

/// No more will come. Whatever has come stays good.
void Connection::broken(Error error) {
  is_closed_ = true;
  if (response_) {
    response_->fail(error);
  } else {
    pool_.retire(*this);
  }
}

void Connection::expired() {
  is_closed_ = true;
  pool_.retire(*this);
}

http::ResponseHead& Connection::begin_response(http::StreamId) { return response_->begin_head(); }
void Connection::on_interim(http::StreamId) { response_->interim(); }
void Connection::on_response(http::StreamId, http::BodySize body) { response_->answered(body); }
void Connection::on_data(http::StreamId, Slice data) { response_->push(std::move(data)); }
void Connection::on_end(http::StreamId, http::Headers* trailers) { response_->finish(trailers); }
void Connection::on_reset(http::StreamId, Error error) { broken(error); }

}  // namespace weir::upstream
