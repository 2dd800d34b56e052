#include "exchange/exchange.h"

#include "base/arena_text.h"
#include "exchange/child.h"
#include "exchange/decisions.h"
#include "exchange/error_response.h"
#include "exchange/replay_body.h"

namespace weir {

Exchange::Exchange(Arena& arena, WorkerContext& worker, ClientSide* client_side, Exchange* parent)
    : worker(worker),
      request(arena),
      response(arena),
      attempts(parent ? parent->attempts : own_attempts_),
      facts(arena),
      record(parent ? parent->record : own_record_),
      arena_(arena),
      client_side_(client_side),
      own_attempts_(arena) {}

Exchange::~Exchange() {
  response.body.reset();  // its attempt may still read the request's body, which may read from a buffer
  request_body.reset();
  if (adopted_ && &attempts != &own_attempts_) attempts.keep_adopted();  // a fork's, which its parent tells
}

void Exchange::respond(uint16_t status, std::string_view content_type, std::string_view body) {
  failure.reset();
  response.head.status = status;
  response.head.reason = {};
  response.head.headers.clear();
  if (!content_type.empty()) response.head.headers.add("content-type", content_type);
  response.body = make_in<TextBody>(arena_, arena_, body);
}

void Exchange::fail(Error error) {
  decisions::failure(*this, error);
  const auto status = meaning_of(error.code).status;
  respond(status);
  failure = error;
  if (status < 500) return;  // the client's doing
  failure->upstream = destination.upstream;
  if (!attempts.empty() && attempts.back().upstream == destination.upstream)
    failure->endpoint = attempts.back().endpoint;
}

Exchange::Replaced Exchange::replaced(Arena& arena) const {
  Replaced replaced{cause ? cause : failure, {}};
  if (replaced.failure) {
    auto& kept = *replaced.failure;
    for (auto* text : {&kept.detail, &kept.by, &kept.upstream, &kept.endpoint}) *text = arena.copy(*text);
  }
  ArenaText text(arena);
  if (failure) {
    text << name_of(failure->code);
    if (!failure->by.empty()) text << " by " << failure->by;
  } else {
    const auto status = response.head.status;
    const char digits[] = {static_cast<char>('0' + status / 100 % 10), static_cast<char>('0' + status / 10 % 10),
                           static_cast<char>('0' + status % 10)};
    text << "status " << std::string_view(digits, sizeof digits);
  }
  if (!destination.upstream.empty()) text << " of upstream " << destination.upstream;
  if (!attempts.empty() && attempts.back().upstream == destination.upstream)
    text << ", endpoint " << attempts.back().endpoint;
  replaced.text = text.text();
  return replaced;
}

void Exchange::answered_for(const Replaced& replaced) {
  facts.set(kInsteadOf, replaced.text);
  if (!replaced.failure) return;
  record.raise(meaning_of(replaced.failure->code).flag);
  cause = replaced.failure;
}

Exchange::Mark Exchange::mark(size_t replay) {
  Mark mark{request, destination, Facts(arena_)};
  mark.request.headers = request.headers.copy(arena_);
  mark.facts.set_all(facts);
  mark.has_body = request_body->size().kind != http::BodySize::Kind::none;
  if (mark.has_body) {
    auto buffer = make_in<ReplayBuffer>(arena_, arena_, std::move(request_body), replay);
    buffer->outer = std::move(replay_);
    replay_ = std::move(buffer);
    request_body = make_in<ReplayBody>(arena_, arena_, *replay_);
  }
  mark.replay = replay_.get();
  return mark;
}

bool Exchange::can_rewind(const Mark& mark) const { return !mark.has_body || mark.replay->can_replay(); }

bool Exchange::is_whole(const Mark& mark) const { return !mark.has_body || mark.replay->is_whole(); }

bool Exchange::rewind(const Mark& mark) {
  if (!can_rewind(mark)) return false;
  response.body.reset();  // first, since its attempt may still read the request's body
  response.head = http::ResponseHead(arena_);
  attempts.keep_adopted();
  adopted_.reset();
  failure.reset();
  cause.reset();
  request_body.reset();
  while (replay_.get() != mark.replay) replay_ = std::move(replay_->outer);
  if (mark.has_body) {
    request_body = make_in<ReplayBody>(arena_, arena_, *replay_);
  } else {
    request_body = make_in<NoBody>(arena_, arena_);
  }
  request = mark.request;
  request.headers = mark.request.headers.copy(arena_);
  destination = mark.destination;
  facts.clear();
  facts.set_all(mark.facts);
  return true;
}

void Exchange::commit() {
  is_committed_ = true;
  forget_body();
  if (adopted_) adopted_->exchange.commit();
}

void Exchange::forget_body() {
  if (!is_committed_ || uploads_ > 0) return;
  if (request_body) request_body->forget();
  if (replay_) replay_->forget();
}

// Children.

Exchange::ChildPtr Exchange::fork(const Mark& mark) {
  return is_whole(mark) ? std::make_unique<Child>(*this, mark, Child::Bond::fork) : nullptr;
}

Exchange::ChildPtr Exchange::detach(const Mark& mark) {
  return is_whole(mark) ? std::make_unique<Child>(*this, mark, Child::Bond::detach) : nullptr;
}

const http::Headers& Exchange::sent_headers() const {
  return adopted_ ? adopted_->exchange.sent_headers() : request.headers;
}

void Exchange::adopt(ChildPtr child) {
  Exchange& winner = child->exchange;
  response.body = std::move(winner.response.body);
  if (response.body) response.body->limit_by(backlog());
  response.head = winner.response.head;
  failure = winner.failure;
  if (winner.cause) cause = winner.cause;
  facts.set_all(winner.facts);
  call = winner.call;  // a filter may have found out
  if (id.empty()) id = arena_.copy(winner.id);
  if (&winner.attempts != &attempts) {
    attempts.adopt(winner.attempts);
    record.flags |= winner.record.flags;
    child->leave_untold();
  }
  adopted_ = std::move(child);
}

}  // namespace weir
