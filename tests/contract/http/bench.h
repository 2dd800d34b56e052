#pragma once

#include <doctest/doctest.h>

#include <optional>

#include "http/h1_codec.h"
#include "http/h2_codec.h"
#include "unit/http/bench.h"

namespace weir::http {

/// A client's codec and a server's, and the wire between them. Each consumes what it gets at once.
template <class AnyCodec>
struct Conversation {
  explicit Conversation(size_t fragment = 1 << 20, HeadLimits limits = {})
      : client(Role::client, limits, fragment), server(Role::server, limits, fragment) {
    for (auto* side : {&client, &server}) {
      side->events.when_data = [side](StreamId stream, size_t bytes) { side->codec.consumed(stream, bytes); };
    }
    server.events.when_end = [this](StreamId stream) {
      if (answer) answer(stream);
    };
    exchange();
  }

  /// Moves bytes both ways until neither side has any.
  void exchange() {
    for (bool moved = true; moved;) {
      moved = move(client, server, to_server);
      moved = move(server, client, to_client) || moved;
    }
  }

  StreamId ask(BodySize body = BodySize::none(), Method method = Method::get,
               std::initializer_list<Header> fields = {}) {
    RequestHead head(client.arena);
    head.method = method;
    head.authority = "a.example:81";
    head.path = "/x";
    head.query = "y=1";
    head.has_query = true;
    for (const Header& field : fields) head.headers.add(field.name, field.value);
    return client.codec.send_request(head, body);
  }
  void respond(StreamId stream, uint16_t status, BodySize body, std::initializer_list<Header> fields = {}) {
    ResponseHead head(server.arena);
    head.status = status;
    for (const Header& field : fields) head.headers.add(field.name, field.value);
    server.codec.send_response(stream, head, body);
  }

  using Side = BenchOf<AnyCodec>;
  Side client;
  Side server;
  std::function<void(StreamId)> answer;  // called when a request is whole
  std::string to_server;                 // sent, not taken yet
  std::string to_client;

 private:
  static bool move(Side& from, Side& to, std::string& wire) {
    wire += from.sent();
    if (wire.empty() || to.error) return false;
    const size_t used = to.feed(wire);
    wire.erase(0, used);
    return used > 0;
  }
};

}  // namespace weir::http
