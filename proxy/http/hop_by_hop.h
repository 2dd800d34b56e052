#pragma once

#include <string_view>

#include "http/headers.h"

namespace weir::http {

/// What the hop-by-hop fields that were removed had asked for.
struct HopByHop {
  bool trailers = false;     // `TE: trailers`: the peer takes trailers
  std::string_view upgrade;  // the Upgrade field's value when Connection lists `upgrade`, else ""
};

/// Removes the fields that concern this connection alone (RFC 9110 section 7.6.1): Connection and what it
/// names, Keep-Alive, Proxy-Connection, Proxy-Authenticate, Proxy-Authorization, TE, Transfer-Encoding, Upgrade
/// and HTTP2-Settings. Connection can't take away fields that others rely on (Host, Content-Length,
/// Authorization, Cookie, X-Forwarded-For, ...). `Trailer` stays: it is end-to-end.
HopByHop remove_hop_by_hop(Headers& headers);

/// The Upgrade field's value when there is one such line and Connection lists `upgrade`, else "".
std::string_view upgrade_of(const Headers& headers);

/// The fields that a message on HTTP/2 must not have (RFC 9113 section 8.2.2); TE is another matter.
constexpr bool is_connection_specific(Field field) {
  constexpr FieldSet kFields = set_of(Field::connection, Field::http2_settings, Field::keep_alive,
                                      Field::proxy_connection, Field::transfer_encoding, Field::upgrade);
  return (kFields & set_of(field)) != 0;
}

/// Whether TE lists `trailers`, also with a weight (RFC 9110 section 10.1.4).
bool takes_trailers(std::string_view te);

/// Whether a Connection field may name this one to have it removed.
bool is_protected(const Header& header);

}  // namespace weir::http
