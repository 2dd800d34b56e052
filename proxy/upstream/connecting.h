#pragma once

#include <expected>

#include "upstream/connection_pool.h"
#include "upstream/secure.h"
#include "upstream/upstream.h"

namespace weir::upstream {

/// Why there is no connection for a request, and what that says about the endpoint.
struct Unmade {
  Error error;
  Outcome outcome;
};
using Made = std::expected<Connection*, Unmade>;

/// How the connections of an upstream are kept.
ConnectionPool::Keep keep_of(const Upstream& upstream);

/// A connection for a request that found none in the pool: a new one, or one that others are making and that takes this
/// request, too. Connections are made in parallel, as many as the requests that wait for them need. A request's own
/// connection has the whole `timeouts.connect`; the time spent on the connections of others is held against no
/// endpoint.
/// One that is to speak HTTP/1.1, whatever the upstream's setting, is always a new one and serves that request alone.
Task<Made> obtain(Exchange& exchange, const Upstream& upstream, const Endpoint& endpoint, Speak speak = Speak::agreed);

/// A TLS handshake can agree on HTTP/1.1, although the endpoint chooses HTTP/2.
bool may_speak_http1(const Upstream& upstream);

/// Whether a connection surely takes the request: any but a tunnel or a large head over HTTP/2.
bool suits(const Exchange& exchange, Connection& connection);

/// Whether an endpoint takes a tunnel over HTTP/2 (RFC 8441 section 3), and how large a head (RFC 9113 section 6.5.2),
/// is the first thing that it says; how many streams, too. A connection that takes this request, `connection` if
/// possible. An endpoint that doesn't take it isn't worse for that: if the TLS handshake agreed on HTTP/2, a tunnel
/// gets an HTTP/1.1 connection.
Task<Made> suit(Exchange& exchange, const Upstream& upstream, const Endpoint& endpoint, Connection* connection);

/// No timer of TCP's is to be quicker than the one that limits how long a request's bytes may wait for the endpoint.
void limit_silence(const Upstream& upstream, Connection& connection, Duration patience);

}  // namespace weir::upstream
