#include "exchange/child.h"

#include "exchange/replay_body.h"

// All that a child takes from its parent is copied, so that one that is detached may outlive it.

namespace weir {

namespace {

Client copy_of(const Client& from, Arena& arena) {
  Client client = from;
  client.ip = arena.copy(from.ip);
  client.listener = arena.copy(from.listener);
  client.url_told = arena.copy(from.url_told);
  if (!from.tls) return client;
  auto& tls = arena.make<ClientTls>(*from.tls);
  for (auto* text :
       {&tls.version, &tls.cipher, &tls.server_name, &tls.subject, &tls.names, &tls.fingerprint, &tls.certificate}) {
    *text = arena.copy(*text);
  }
  client.tls = &tls;
  return client;
}

http::RequestHead copy_of(const http::RequestHead& from, Arena& arena) {
  http::RequestHead head = from;
  for (auto* text : {&head.method_name, &head.scheme, &head.authority, &head.target, &head.path, &head.decoded_path,
                     &head.query, &head.protocol}) {
    *text = arena.copy(*text);
  }
  head.headers = from.headers.copy(arena, http::Headers::Deep::yes);
  return head;
}

BodyPtr copy_of(const ReplayBuffer& from, Arena& arena) {
  if (from.stored()) return make_in<StoredBodyReader>(arena, arena, from.stored());
  http::Headers* trailers = nullptr;
  if (from.trailers()) {
    trailers = &arena.make<http::Headers>(from.trailers()->copy(arena, http::Headers::Deep::yes));
  }
  return make_in<KeptBody>(arena, arena, from.text(arena), from.size(), trailers);
}

}  // namespace

Child::Child(Exchange& parent, const Exchange::Mark& mark, Bond bond)
    : snapshot_(bond == Bond::detach ? parent.snapshot : nullptr),
      local_address_(parent.local_address()),
      backlog_(bond == Bond::fork ? parent.backlog() : nullptr),
      has_reader_(bond == Bond::fork),
      parent_(bond == Bond::fork ? &parent : nullptr),
      arena_(parent.worker.blocks),
      exchange(arena_, parent.worker, this, bond == Bond::fork ? &parent : nullptr) {
  exchange.client = copy_of(parent.client, arena_);
  exchange.request = copy_of(mark.request, arena_);
  if (mark.has_body) {
    exchange.request_body = copy_of(*mark.replay, arena_);
  } else {
    exchange.request_body = make_in<NoBody>(arena_, arena_);
  }
  mark.facts.for_each([&](std::string_view name, std::string_view value) {
    exchange.facts.set(arena_.copy(name), arena_.copy(value));
  });
  exchange.id = arena_.copy(parent.id);
  exchange.call = parent.call;
  exchange.route = parent.route;
  exchange.snapshot = parent.snapshot;
  exchange.destination = mark.destination;
  exchange.deadline = parent.deadline;
  if (bond == Bond::fork) {
    exchange.answer_by = parent.answer_by;
    exchange.answer_within = parent.answer_within;
  }
  exchange.record.started = parent.record.started;
}

Child::~Child() {
  if (auto* snapshot = snapshot_.get(); snapshot && snapshot->detached_over && !is_untold_) {
    exchange.response.body.reset();  // settles its attempt
    snapshot->detached_over(*snapshot, exchange);
  }
}

}  // namespace weir
