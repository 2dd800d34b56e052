#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/units.h"
#include "config/reader.h"
#include "exchange/gate_factory.h"
#include "exchange/key_expression.h"
#include "exchange/tls_files.h"
#include "net/address.h"
#include "net/proxy_protocol.h"
#include "net/resolver.h"
#include "net/tls_client.h"
#include "upstream/health_config.h"
#include "upstream/liveness.h"

namespace weir::upstream {

struct EndpointSpec;

/// How an upstream spreads its requests over its endpoints.
enum class Policy : uint8_t { round_robin, least_connections, random_two, peak_ewma, ring, rendezvous, maglev };

constexpr bool heeds_load(Policy policy) { return policy >= Policy::least_connections && policy <= Policy::peak_ewma; }
constexpr bool is_hash(Policy policy) { return policy >= Policy::ring; }

struct Balance {
  Policy policy = Policy::round_robin;
  KeyExpression key;                   // of the hash policies
  std::optional<double> bounded_load;  // no endpoint above this many times its share
  uint32_t maglev_size = 65537;        // slots, a prime
};

/// When a name has no address at the start, or when a reload brings it in: `lazy` = it is an endpoint once it has one.
enum class Resolve : uint8_t { lazy, required };

/// One line of `endpoints`: an address, or a name that becomes as many endpoints as it has addresses.
struct EndpointSettings {
  config::Located<std::string> address;
  net::Address parsed;               // of `address`
  config::Located<std::string> dns;  // "api.internal:8000"; SRV needs no port
  net::RecordType type = net::RecordType::a;
  Resolve resolve = Resolve::lazy;
  uint32_t weight = 1;
  bool is_backup = false;
  uint32_t max_connections = 0;  // over all workers; 0 = no limit
  uint32_t max_requests = 0;     // in flight; 0 = no limit

  bool is_name() const { return !dns->empty(); }
  std::string host() const;  // of `dns`, without port
  uint16_t port() const;     // of `dns`; 0 when there is none
  /// One endpoint of this line.
  EndpointSpec at(const net::Address& where) const;
};

struct Timeouts {
  Duration connect = std::chrono::seconds(5);         // TCP, and TLS when there is any
  Duration response = std::chrono::seconds(60);       // from the request's last byte sent to the response's head
  Duration between_bytes = std::chrono::seconds(60);  // between two reads, or two writes
  Duration tunnel = std::chrono::hours(1);            // a WebSocket or a gRPC call over which nothing goes, either way
  Duration idle = std::chrono::seconds(60);           // of a pooled connection
  Duration request{};                                 // one whole attempt; 0 = none
};

/// A new endpoint's weight grows from `min` to all of it over `window`.
struct SlowStart {
  Duration window{};  // 0 = off
  Ratio min{0.1};
  double aggression = 1.0;  // 1 = linear; above: faster at first
};

/// Requests that wait while every endpoint is at its limit.
struct QueueSettings {
  uint32_t size = 128;
  Duration timeout = std::chrono::seconds(1);
};

/// What is spoken to the endpoints: `automatic` is what both sides know, by ALPN; in the clear HTTP/1.1.
enum class Protocol : uint8_t { automatic, http1, http2 };

/// TLS to the endpoints.
struct TlsSettings {
  bool is_on = true;
  config::Located<std::string> ca;  // "" = the machine's
  CertificateSettings certificate;  // ours, for endpoints that ask for one; cert "" = none
  std::string server_name;          // "" = the endpoint's own name or address
  net::TlsClient::Verify verify = net::TlsClient::Verify::on;
};

/// When no endpoint is healthy: all are used, or requests fail at once.
enum class Panic : uint8_t { automatic, never };

/// The Host field that is sent.
struct HostRule {
  enum class From : uint8_t { client, endpoint, fixed };
  From from = From::client;
  std::string name;  // when fixed
};

/// One block of `upstreams`.
struct UpstreamSettings {
  config::Tagged<Balance> balance{"round_robin", {}, {}};
  std::vector<EndpointSettings> endpoints;
  Timeouts timeouts;
  SlowStart slow_start;
  QueueSettings queue;
  HostRule host;
  std::optional<TlsSettings> tls;
  Protocol protocol = Protocol::automatic;
  PingSettings pings;                               // of HTTP/2 connections
  uint32_t max_idle = 512;                          // idle connections kept, per worker
  uint32_t max_requests_per_connection = 0;         // 0 = no limit
  std::optional<net::ProxyVersion> proxy_protocol;  // each connection begins with a header, and serves one client
  bool retry_reused = true;                         // once more when a connection died without a byte of an answer
  uint32_t connect_attempts = 3;                    // endpoints that one request tries until it can be sent
  std::optional<HealthCheckSettings> health_check;
  std::optional<OutlierSettings> outlier_detection;
  Panic panic = Panic::automatic;
  Ratio panic_threshold{0};                        // a smaller share of healthy endpoints: all are used
  double overprovisioning = 0;                     // 0 = backups serve when no primary is left, and no sooner
  std::string health_header;                       // by which endpoints say how they are; "" = not
  std::vector<config::Tagged<GateFactory>> gates;  // from the program's table: circuit_breaker
  /// The gate of the upstream ("") or of an endpoint, may give null; unset: there are none. Bound by who builds it.
  std::function<std::shared_ptr<Gate>(const std::string& endpoint)> make_gate;
};

void decode(config::Reader& r, EndpointSettings& out);
void decode(config::Reader& r, Timeouts& out);
void decode(config::Reader& r, SlowStart& out);
void decode(config::Reader& r, QueueSettings& out);
void decode(config::Reader& r, TlsSettings& out);
void decode(config::Reader& r, PingSettings& out);
void decode(config::Reader& r, UpstreamSettings& out);

/// The top-level block `resolver`.
struct ResolverSettings {
  std::vector<config::Located<std::string>> servers;  // "127.0.0.1:5353"; empty: those of /etc/resolv.conf
  Duration timeout = std::chrono::seconds(2);
  uint32_t tries = 2;
  net::ResolverSettings settings() const;
};
void decode(config::Reader& r, ResolverSettings& out);

}  // namespace weir::upstream
