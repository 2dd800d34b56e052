#include "exchange/exchange.h"

#include "exchange/error_response.h"
#include "exchange/replay_body.h"

namespace weir {

void Exchange::respond(uint16_t status, std::string_view content_type, std::string_view body) {
  failure.reset();
  response.head.status = status;
  response.head.reason = {};
  response.head.headers.clear();
  if (!content_type.empty()) response.head.headers.add("content-type", content_type);
  response.body = make_in<TextBody>(arena_, arena_, body);
}

void Exchange::fail(Error error) {
  respond(meaning_of(error.code).status);
  failure = error;
}

Exchange::Mark Exchange::mark(size_t replay) {
  request_body = make_in<ReplayBody>(arena_, arena_, std::move(request_body), replay);
  Mark mark{request, destination};
  mark.request.headers = request.headers.copy(arena_);
  return mark;
}

bool Exchange::rewind(const Mark& mark) {
  if (!request_body->rewind()) return false;
  request = mark.request;
  request.headers = mark.request.headers.copy(arena_);
  destination = mark.destination;
  failure.reset();
  response.body.reset();
  response.head = http::ResponseHead(arena_);
  return true;
}

}  // namespace weir
