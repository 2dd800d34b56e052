#pragma once

#include <string>
#include <vector>

#include "config/reader.h"
#include "http/codec.h"
#include "http/target.h"
#include "net/address.h"

namespace weir::downstream {

/// How patient and how generous a listener is with its clients. Part of the snapshot, immutable.
struct Limits {
  http::HeadLimits head;
  uint64_t body = UINT64_MAX;            // request body bytes: 413; UINT64_MAX = no bound
  uint64_t requests_per_connection = 0;  // 0 = no bound
  uint64_t connections = 50'000;         // open at once, over all listeners and workers
  uint64_t connections_per_client = 0;   // of one address; 0 = no bound
  uint64_t body_rate = 240;              // bytes/s of a request body, after the first 5 s of waiting for it: 408
};

struct Timeouts {
  Duration head = std::chrono::seconds(15);   // first byte to the end of the head: 408
  Duration idle = std::chrono::seconds(75);   // between two requests
  Duration body = std::chrono::seconds(60);   // between two pieces of a request body: 408
  Duration write = std::chrono::seconds(60);  // a client that takes nothing of its response: reset
};

/// Fields by which a gateway tells backends who a client is, or what the client asked for: backends believe them.
inline constexpr auto kIdentityFields = http::set_of(
    http::Field::remote_user, http::Field::x_forwarded_user, http::Field::x_forwarded_email,
    http::Field::x_forwarded_groups, http::Field::x_forwarded_preferred_username, http::Field::x_forwarded_prefix,
    http::Field::x_original_url, http::Field::true_client_ip, http::Field::proxy);

/// What the upstream is told about the client (RFC 7239, or the X-Forwarded-* family).
struct Forwarding {
  enum class Style : uint8_t { x_forwarded, rfc7239, none };
  Style style = Style::x_forwarded;
  std::vector<net::Network> trusted_proxies;  // whose own fields are believed and extended
  std::string client_field;                   // a trusted proxy's field with the client's address; "" = none
  std::string via;                            // our pseudonym in Via (RFC 9110 section 7.6.3); "": no Via is sent
  std::string loop_id = "weir";               // ours in CDN-Loop (RFC 8586), by which loops are known
  http::FieldSet withheld = kIdentityFields;  // of a client that is no trusted proxy
  bool trusts(const net::Address& peer) const;
};

/// Of a listener whose connections begin with a PROXY header: from these networks, and from nobody else.
struct ProxyProtocol {
  std::vector<net::Network> trusted;
  Duration timeout = std::chrono::seconds(3);
  bool trusts(const net::Address& peer) const;
};

/// What requests may ask for beyond the methods that HTTP/1.1 and HTTP/2 take alike.
struct Methods {
  std::vector<std::string> allow;
};

struct Policy {
  Limits limits;
  Methods methods;
  Timeouts timeouts;
  Forwarding forwarding;
  http::PathPolicy path;
  bool allow_trace = false;
};

void decode(config::Reader& r, Limits& out);
void decode(config::Reader& r, Methods& out);
void decode(config::Reader& r, Timeouts& out);
void decode(config::Reader& r, Forwarding& out);
void decode(config::Reader& r, ProxyProtocol& out);

}  // namespace weir::downstream

namespace weir::http {
void decode(config::Reader& r, PathPolicy& out);
}
