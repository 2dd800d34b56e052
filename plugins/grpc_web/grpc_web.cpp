#include "plugins/grpc_web/grpc_web.h"

#include "exchange/exchange.h"
#include "exchange/grpc.h"
#include "exchange/grpc_answer.h"
#include "plugins/grpc_web/web_body.h"

namespace weir::plugins {

namespace {

using http::Field;

/// A client may take its answer in another form than it asks in; Accept says so.
GrpcForm form_of_answer(const http::Headers& request, GrpcForm asked) {
  const auto accepted = grpc_type(request.get(Field::accept).value_or("")).form;
  return accepted == GrpcForm::web || accepted == GrpcForm::web_text ? accepted : asked;
}

/// The call's time begins where the request's does.
void limit_time(Exchange& exchange) {
  const auto asked = grpc_timeout(exchange.request.headers);
  if (asked) exchange.deadline = std::min(exchange.deadline, exchange.record.started + *asked);
}

void ask_as_grpc(Exchange& exchange, const GrpcType& type) {
  exchange.call = type.form;
  limit_time(exchange);
  auto& headers = exchange.request.headers;
  headers.set("content-type", exchange.arena().concat({"application/grpc", type.suffix}), Field::content_type);
  headers.set("te", "trailers", Field::te);
  if (type.form != GrpcForm::web_text) return;
  exchange.request_body = make_in<DecodedRequest>(exchange.arena(), exchange.arena(), exchange.worker.blocks,
                                                  std::move(exchange.request_body));
}

/// An answer without messages has its status in its head, where it may stay.
void answer_as_web(Exchange& exchange, GrpcForm form) {
  auto& arena = exchange.arena();
  auto& [head, body] = exchange.response;
  const auto type = grpc_type(head.headers);
  if (type.form != GrpcForm::grpc) return;
  const bool is_text = form == GrpcForm::web_text;
  watch_grpc_answer(exchange);
  head.headers.set("content-type",
                   arena.concat({is_text ? "application/grpc-web-text" : "application/grpc-web", type.suffix}),
                   Field::content_type);
  head.headers.remove(Field::trailer);
  if (body->size().is_empty()) return;
  body = make_in<WebAnswer>(arena, arena, exchange.worker.blocks, std::move(body),
                            is_text ? Encoding::base64 : Encoding::bytes);
}

}  // namespace

void decode(config::Reader&, GrpcWebSettings&) {}

Task<> GrpcWeb::handle(Exchange& exchange, Next next) const {
  auto& headers = exchange.request.headers;
  const auto asked = headers.get(Field::content_type).value_or("");
  const auto type = grpc_type(asked);
  const bool is_web = type.form == GrpcForm::web || type.form == GrpcForm::web_text;
  if (!is_web || exchange.request.method != http::Method::post) co_return co_await next(exchange);
  ask_as_grpc(exchange, type);
  co_await next(exchange);
  exchange.request.headers.set("content-type", asked, Field::content_type);  // an error of our own goes by it
  if (!exchange.failure) answer_as_web(exchange, form_of_answer(exchange.request.headers, type.form));
}

config::Tag<FilterFactory> grpc_web_filter() {
  return filter_tag<GrpcWebSettings>("grpc_web", "lets browsers call gRPC services, by gRPC-Web",
                                     [](const GrpcWebSettings&, const config::Location&, FilterContext&) {
                                       return std::make_shared<const GrpcWeb>();
                                     });
}

}  // namespace weir::plugins
