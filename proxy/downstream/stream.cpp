#include "downstream/stream.h"

#include "base/log.h"
#include "downstream/admission.h"
#include "downstream/connection.h"
#include "exchange/error_response.h"
#include "exchange/grpc.h"
#include "exchange/grpc_answer.h"

// A stream's life: the codec's events make it and fill its pipe; its first turn on the ready list begins its task
// (`run`); when that has ended, its next turn tells the connection, which destroys it.

namespace weir::downstream {

namespace {

constexpr Duration kPaceStep = std::chrono::seconds(1);
constexpr Duration kParting = std::chrono::milliseconds(500);

}  // namespace

Stream::Stream(Connection& connection, WorkerContext& worker, ServingRef serving, http::StreamId id)
    : connection(connection),
      id(id),
      arena(worker.blocks),
      serving(std::move(serving)),
      body(worker.loop, worker.blocks),
      exchange(arena, worker, this) {
  turn_.stream = this;
  exchange.snapshot = this->serving.get();
}

// The request.

void Stream::settle_expectation(http::BodySize size) {
  auto& request = exchange.request;
  const auto expect = request.headers.get(http::Field::expect);
  if (!expect) return;
  if (!equals_ignoring_case(*expect, "100-continue")) {
    return exchange.fail({ErrorCode::expectation_failed, Side::client, "only 100-continue may be expected"});
  }
  const bool waits = request.version != http::Version::http10 && !size.is_empty();
  if (waits) exchange.expectation = Expectation::open;
  request.headers.remove(http::Field::expect);
}

void Stream::body_wanted() {
  if (exchange.expectation != Expectation::open) return;
  exchange.expectation = Expectation::none;
  if (body.is_settled()) return;
  http::ResponseHead go_on(arena);
  go_on.status = 100;
  inform(go_on);
}

net::Address Stream::local_address() const { return connection.local_address(); }

Backlog* Stream::backlog() { return connection.wire().backlog(); }

void Stream::body_taken(size_t bytes) { connection.body_taken(*this, bytes); }

void Stream::receive(Slice data) {
  pace.count(data.size());
  if (exchange.expectation == Expectation::forwarded) exchange.expectation = Expectation::none;  // it didn't wait
  auto& record = exchange.record;
  record.request_body_bytes += data.size();
  if (tunnel_) tunnel_->to_endpoint.pass(data.view());
  body.push(std::move(data));
}

Time Stream::due() const {
  if (phase == Phase::head) return exchange.record.started + serving->policy->timeouts.head;
  if (is_tunnel()) return strays_until_;
  if (body.is_settled() || may_send_slowly() || !exchange.request.protocol.empty()) return Time::max();
  return std::max(next_look_, exchange.record.head_received + kPaceStep);
}

/// What a call sends, and when, is its own affair. That it is a call is known by the endpoint's answer, or by the
/// route.
bool Stream::may_send_slowly() const {
  if (exchange.record.call_stage == CallStage::answered) return true;
  return exchange.route && exchange.route->is_grpc && is_grpc(exchange.request.headers);
}

std::optional<Error> Stream::is_late() {
  if (phase == Phase::head) return Error{ErrorCode::request_timeout, Side::client, "the request head took too long"};
  if (is_tunnel()) return strayed();
  next_look_ = exchange.loop().now() + kPaceStep;
  const bool waits_for_continue = exchange.expectation != Expectation::none;
  if (!body.is_full() && !waits_for_continue) pace.wait(kPaceStep);
  const auto& policy = *serving->policy;
  const bool is_sent_call = exchange.record.call_stage == CallStage::sent;
  const Duration pause = is_sent_call ? Duration::max() : policy.timeouts.body;
  if (!pace.is_too_slow(policy.limits.body_rate, pause)) return std::nullopt;
  return Error{ErrorCode::request_timeout, Side::client, "the request body came too slowly"};
}

/// The first time it parts, and has a moment for that.
std::optional<Error> Stream::strayed() {
  if (has_parted_) return Error{ErrorCode::shutting_down, Side::self, "a reload took the tunnel's route away"};
  strays_until_ = exchange.loop().now() + kParting;
  withdraw();
  return std::nullopt;
}

// The answer.

void Stream::begin() {
  phase = Phase::handling;
  if (!exchange.request.protocol.empty()) tunnel_ = &arena.make<Tunnel>();
  const auto& request = exchange.request;
  const bool may_call = request.version == http::Version::http2 && request.method == http::Method::post;
  if (may_call && is_grpc(request.headers)) exchange.call = GrpcForm::grpc;
  turn_.run = [](Ready& turn) {
    Stream& stream = *static_cast<Turn&>(turn).stream;
    stream.task_ = stream.run();
    stream.task_.start();
  };
  exchange.loop().wake(turn_);
}

Task<> Stream::run() {
  bool has_thrown = false;
  try {
    if (body.error()) exchange.fail(*body.error());  // broken in the very read that brought the head
    if (!exchange.failure) {
      if (const Route* route = admit(exchange, *serving)) co_await route->chain.run(exchange);
    }
  } catch (const std::exception& error) {
    log::error("exchange_failed", {{"request_id", exchange.id}, {"what", error.what()}});
    has_thrown = true;
  }
  if (has_thrown) exchange.fail({ErrorCode::internal, Side::self, "an exception escaped from the filter chain"});
  bool is_broken = false;
  try {
    co_await answer();
  } catch (const std::exception& error) {
    log::error("answer_failed", {{"request_id", exchange.id}, {"what", error.what()}});
    is_broken = true;
  }
  if (is_broken) {
    is_cut_short = true;
    connection.codec().reset(id, ErrorCode::internal);
  }
  turn_.run = [](Ready& turn) {
    Stream& stream = *static_cast<Turn&>(turn).stream;
    stream.connection.ended(stream);
  };
  exchange.loop().wake(turn_);
}

/// Over HTTP/2 any 2xx grants the tunnel (RFC 8441 section 5): it can't tell of an answer that doesn't.
void Stream::check_refusal() {
  if (!tunnel_ || is_tunnel() || exchange.failure || exchange.request.version != http::Version::http2) return;
  if (exchange.response.head.status / 100 != 2) return;
  exchange.fail({ErrorCode::protocol_error, Side::upstream, "a success that grants no WebSocket"});
}

Task<> Stream::answer() {
  check_refusal();
  if (exchange.failure) render_error(exchange);
  if (!exchange.response.body) exchange.response.body = make_in<TextBody>(arena, arena, "");
  watch_grpc_answer(exchange);
  send_head();
  if (tunnel_ && is_tunnel()) {
    exchange.response.body = make_in<TunnelBody>(arena, arena, std::move(exchange.response.body), tunnel_->to_client);
  }
  auto& record = exchange.record;
  const auto sent = co_await send_body(*exchange.response.body, connection.wire(), id, serving->policy->timeouts.write,
                                       record.response_body_bytes);
  record.finished = exchange.loop().now();
  if (!sent) {
    exchange.failure = sent.error();
    record.raise(meaning_of(sent.error().code).flag);
    is_cut_short = true;
    connection.codec().reset(id, sent.error().code);
  }
  exchange.response.body.reset();
}

void Stream::send_head() {
  auto& head = exchange.response.head;
  // A tunnel that isn't granted has no bytes.
  if (!exchange.request.protocol.empty() && !is_tunnel()) body.finish(nullptr);
  connection.before_answer(*this);
  if (!head.headers.has(http::Field::date)) {
    head.headers.add("Date", connection.gateway().date(), http::Field::date);
  }
  phase = Phase::answering;
  exchange.expectation = Expectation::none;
  exchange.record.status = head.status;
  exchange.record.response_started = exchange.loop().now();
  connection.codec().send_response(id, head, exchange.response.body->size());
  exchange.commit();
  if (is_tunnel()) connection.tunnel_opened();
}

bool Stream::withdraw() {
  const bool is_first = !has_parted_;
  if (!part()) return false;
  if (!is_first) return true;
  exchange.failure = Error{ErrorCode::shutting_down, Side::self, "Weir ended the tunnel"};
  exchange.record.raise(meaning_of(ErrorCode::shutting_down).flag);
  return true;
}

bool Stream::part() {
  if (!tunnel_ || !is_tunnel() || phase != Phase::answering) return false;
  if (std::exchange(has_parted_, true)) return true;
  if (tunnel_->to_endpoint.takes_another()) body.push(Slice::literal(http::kGoingAwayMasked));
  body.finish(nullptr);
  auto& codec = connection.codec();
  auto& wire = connection.wire();
  if (tunnel_->to_client.takes_another()) codec.send_data(id, Slice::literal(http::kGoingAway));
  codec.send_end(id, nullptr);
  wire.send_soon();
  if (codec.ends_with_fin() && !wire.has_unsent()) wire.socket().finish_writing();
  return true;
}

void Stream::inform(const http::ResponseHead& head) {
  if (phase != Phase::handling || exchange.request.version == http::Version::http10) return;
  connection.codec().send_interim(id, head);
  connection.wire().send_soon();  // what the socket doesn't take leaves with the response
}

}  // namespace weir::downstream
