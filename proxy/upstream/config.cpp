#include "upstream/config.h"

#include <algorithm>
#include <map>

#include "base/text.h"
#include "http/syntax.h"
#include "upstream/endpoint_set.h"

namespace weir::net {

constexpr auto choices(RecordType*) {
  using enum RecordType;
  return std::array<config::Choice<RecordType>, 4>{{{"A", a}, {"AAAA", aaaa}, {"any", any}, {"SRV", srv}}};
}

constexpr auto choices(ProxyVersion*) {
  using enum ProxyVersion;
  return std::array<config::Choice<ProxyVersion>, 2>{{{"v1", v1}, {"v2", v2}}};
}

static auto choices(TlsClient::Verify*) {
  using Verify = TlsClient::Verify;
  return std::array{config::Choice<Verify>{"on", Verify::on}, config::Choice<Verify>{"off", Verify::off}};
}

}  // namespace weir::net

namespace weir::upstream {

static auto choices(Protocol*) {
  using enum Protocol;
  return std::array{config::Choice<Protocol>{"auto", automatic}, config::Choice<Protocol>{"http1", http1},
                    config::Choice<Protocol>{"http2", http2}};
}

static auto choices(Panic*) {
  using enum Panic;
  return std::array{config::Choice<Panic>{"auto", automatic}, config::Choice<Panic>{"never", never}};
}

static auto choices(Resolve*) {
  return std::array{config::Choice<Resolve>{"lazy", Resolve::lazy},
                    config::Choice<Resolve>{"required", Resolve::required}};
}

namespace {

constexpr std::string_view kAddressHint = "write an address: 127.0.0.1:9001, \"[::1]:9001\", unix:/run/app.sock";

enum class HashTable : uint8_t { automatic, ring, rendezvous };

constexpr auto choices(HashTable*) {
  using enum HashTable;
  return std::array<config::Choice<HashTable>, 3>{{{"auto", automatic}, {"ring", ring}, {"rendezvous", rendezvous}}};
}

struct NoSettings {};
void decode(config::Reader&, NoSettings&) {}

struct HashSettings {
  KeyExpression key;
  HashTable table = HashTable::automatic;
  std::optional<double> bounded_load;
};

struct MaglevSettings {
  KeyExpression key;
  uint32_t size = 65537;
  std::optional<double> bounded_load;
};

void decode_bound(config::Reader& r, std::optional<double>& out) {
  r.optional("bounded_load", out, "no endpoint gets more than this many times its share of the requests in flight",
             config::in_range(1.05, 10.0));
}

void decode(config::Reader& r, HashSettings& out) {
  r.shorthand("key", config::Shorthand::scalar_or_list);
  r.required("key", out.key, "what of the request is hashed");
  r.optional("table", out.table, "auto is rendezvous up to 100 endpoints, else ring");
  decode_bound(r, out.bounded_load);
}

void decode(config::Reader& r, MaglevSettings& out) {
  r.shorthand("key", config::Shorthand::scalar_or_list);
  r.required("key", out.key, "what of the request is hashed");
  r.optional("size", out.size, "slots of the table; the next prime is taken, and at least 100 an endpoint",
             config::in_range(1021.0, 5000011.0));
  decode_bound(r, out.bounded_load);
}

config::Tag<Balance> plain(std::string name, std::string about, Policy policy) {
  return config::tag<NoSettings, Balance>(std::move(name), std::move(about),
                                          [policy](const NoSettings&, const auto&) { return Balance{policy}; });
}

Balance make_hash(HashSettings settings, const config::Location&) {
  Balance balance{.policy = settings.table == HashTable::ring ? Policy::ring : Policy::rendezvous};
  balance.key = std::move(settings.key);
  balance.bounded_load = settings.bounded_load;
  return balance;
}

Balance make_maglev(MaglevSettings settings, const config::Location&) {
  Balance balance{.policy = Policy::maglev, .maglev_size = settings.size};
  balance.key = std::move(settings.key);
  balance.bounded_load = settings.bounded_load;
  return balance;
}

const config::Tags<Balance>& balance_tags() {
  static const config::Tags<Balance> tags{
      plain("round_robin", "one after another, by weight", Policy::round_robin),
      plain("least_connections", "the fewest requests in flight for its weight", Policy::least_connections),
      plain("random_two", "the less loaded of two drawn at random", Policy::random_two),
      plain("peak_ewma", "the quicker of two drawn at random, by latency and load", Policy::peak_ewma),
      config::tag<HashSettings, Balance>("hash", "always the same endpoint for a key", make_hash),
      config::tag<MaglevSettings, Balance>("maglev", "the same from a table of fixed size: quickest", make_maglev),
  };
  return tags;
}

/// "host:port", "[v6]:port" and a bare host, apart.
std::pair<std::string_view, std::string_view> split_name(std::string_view name) {
  const auto colon = name.rfind(':');
  if (colon == std::string_view::npos) return {name, {}};
  return {name.substr(0, colon), name.substr(colon + 1)};
}

bool looks_like_name(std::string_view text) {
  const auto [host, port] = split_name(text);
  const auto letter = [](char c) { return (to_lower(c) >= 'a' && to_lower(c) <= 'z') || c == '-' || c == '_'; };
  const bool is_plain = host.find_first_of("/:[] ") == std::string_view::npos;
  return !host.empty() && is_plain && std::ranges::any_of(host, letter) && (port.empty() || parse_decimal(port));
}

void check_address(config::Reader& r, EndpointSettings& out) {
  const std::string& text = *out.address;
  if (text.empty() && r.failed()) return;  // told already
  const auto parsed = net::Address::parse(text);
  if (parsed && (parsed->is_unix() || parsed->port() != 0)) {
    out.parsed = *parsed;
  } else if (parsed) {
    r.problem_at("address", "'" + text + "' has port 0", std::string(kAddressHint));
  } else if (const auto scheme = text.find("://"); scheme != std::string::npos) {
    const auto rest = text.substr(scheme + 3);
    r.problem_at("address", "'" + text + "' is a URL, not an address",
                 "write " + rest.substr(0, rest.find('/')) + "; for https add tls: true to the upstream");
  } else if (looks_like_name(text)) {
    r.problem_at("address", "'" + text + "' is a name, not an address", "write { dns: " + text + " }");
  } else {
    r.problem_at("address", "'" + text + "' is not an address", std::string(kAddressHint));
  }
}

void check_name(config::Reader& r, const EndpointSettings& out) {
  const auto [host, port] = split_name(*out.dns);
  const auto number = parse_decimal(port);
  const bool has_port = number && *number > 0 && *number <= UINT16_MAX;
  if (host.empty() || host.find_first_of("/:[] ") != std::string_view::npos) {
    r.problem_at("dns", "'" + *out.dns + "' is not a host name", "write a name and a port: api.internal:8000");
  } else if (out.type == net::RecordType::srv && !port.empty()) {
    r.problem_at("dns", "an SRV name has no port: its records bring theirs", "write dns: " + std::string(host));
  } else if (out.type != net::RecordType::srv && !has_port) {
    r.problem_at("dns", "'" + *out.dns + "' has no port", "write a name and a port: " + std::string(host) + ":80");
  }
}

void check_endpoints(config::Reader& r, const UpstreamSettings& out) {
  std::map<std::string, const config::Location*> seen;
  for (const auto& endpoint : out.endpoints) {
    const auto& written = endpoint.is_name() ? endpoint.dns : endpoint.address;
    const std::string text = endpoint.is_name() ? *written : endpoint.parsed.text();
    if (endpoint.is_name() || endpoint.parsed.size() > 0) {
      const auto [first, is_new] = seen.emplace(text, &written.at);
      if (is_new) continue;
      r.problems().add(
          written.at, "'" + text + "' is there twice",
          "it is on line " + std::to_string(first->second->line) + " already; for a larger share give it a weight");
    }
  }
  if (!out.endpoints.empty() && std::ranges::all_of(out.endpoints, &EndpointSettings::is_backup)) {
    r.problem_at("endpoints", "all endpoints are backups", "leave out `backup: true` on those that serve normally");
  }
}

void check_slow_start(config::Reader& r, const UpstreamSettings& out) {
  if (!is_hash(out.balance.value.policy) || out.slow_start.window == Duration::zero()) return;
  r.problem_at("slow_start", "slow_start does nothing for '" + out.balance.name + "': a key has its endpoint at once",
               "leave it out, or balance by round_robin, least_connections, random_two or peak_ewma");
}

void check_health(config::Reader& r, const UpstreamSettings& out) {
  if (out.health_header.empty()) return;
  if (!http::is_token(out.health_header))
    r.problem_at("health_header", "'" + out.health_header + "' is not a field's name", "write x-weir-health");
  if (!out.health_check)
    r.problem_at("health_header", "without health_check nobody would notice an endpoint that is well again",
                 "add health_check: /healthz");
}

void check_http2(config::Reader& r, const UpstreamSettings& out) {
  const bool has_tls = out.tls && out.tls->is_on;
  if (!r.has("http2") || out.protocol == Protocol::http2) return;
  if (out.protocol == Protocol::automatic && has_tls) return;
  r.problem_at("http2", "http2 does nothing here: the endpoints are spoken to by HTTP/1.1",
               "leave it out, or add protocol: http2");
}

HostRule parse_host(const std::string& text) {
  if (text == "keep") return {};
  if (text == "endpoint") return {HostRule::From::endpoint, {}};
  return {HostRule::From::fixed, text};
}

}  // namespace

std::string EndpointSettings::host() const { return std::string(split_name(*dns).first); }

uint16_t EndpointSettings::port() const {
  return static_cast<uint16_t>(parse_decimal(split_name(*dns).second).value_or(0));
}

EndpointSpec EndpointSettings::at(const net::Address& where) const {
  std::string authority = is_name() ? *dns : where.is_unix() ? "localhost" : where.text();
  return {where, std::move(authority), weight, is_backup, max_requests, max_connections};
}

void decode(config::Reader& r, EndpointSettings& out) {
  r.shorthand("address");
  r.exactly_one_of({"address", "dns"});
  r.optional("address", out.address, "IP and port, or unix:/path", config::non_empty);
  r.optional("dns", out.dns, "a name, resolved again when its TTL is over; each of its addresses is an endpoint",
             config::non_empty);
  r.optional("type", out.type, "the records asked for, with dns");
  r.optional("resolve", out.resolve,
             "with dns, a name without an address at the start or a reload: lazy serves without it until it has one, "
             "required refuses the configuration");
  r.optional("weight", out.weight, "its share of the requests", config::in_range(1.0, 1000000.0));
  r.optional("backup", out.is_backup, "serves only while no other endpoint is up");
  r.optional("max_connections", out.max_connections, "open at once, over all workers; 0 = no limit");
  r.optional("max_requests", out.max_requests, "in flight at once, over all workers; 0 = no limit");
  if (r.is_describing()) return;
  if (r.has("address")) check_address(r, out);
  if (r.has("dns")) check_name(r, out);
  for (const std::string key : {"type", "resolve"}) {
    if (r.has(key) && !r.has("dns")) r.problem_at(key, key + " is about dns; this is an address", "leave it out");
  }
}

void decode(config::Reader& r, Timeouts& out) {
  r.optional("connect", out.connect, "to connect, TLS included", config::at_least(Duration(1)));
  r.optional("response", out.response, "from the request's end to the response's head", config::at_least(Duration(1)));
  r.optional("between_bytes", out.between_bytes, "between two reads or writes", config::at_least(Duration(1)));
  r.optional("tunnel", out.tunnel, "a WebSocket or a gRPC call over which nothing goes, either way",
             config::at_least(Duration(1)));
  r.optional("idle", out.idle, "of a connection kept for the next request", config::at_least(Duration(1)));
  r.optional("request", out.request, "of one attempt as a whole; 0 = none");
}

void decode(config::Reader& r, SlowStart& out) {
  r.shorthand("window");
  r.required("window", out.window, "in which a new endpoint's weight grows to all of it",
             config::at_least(Duration(1)));
  r.optional("min", out.min, "of its weight to begin with", config::in_range(0.01, 1.0));
  r.optional("aggression", out.aggression, "1 grows evenly, more grows faster at first", config::in_range(0.1, 10.0));
}

void decode(config::Reader& r, QueueSettings& out) {
  r.shorthand("size");
  r.optional("size", out.size,
             "requests that may wait while all endpoints are full, of one client no more than there are free places; 0 "
             "= none");
  r.optional("timeout", out.timeout, "the longest wait", config::at_least(Duration(1)));
}

void decode(config::Reader& r, TlsSettings& out) {
  r.shorthand("enabled");
  r.optional("enabled", out.is_on, "tls: true is all that most endpoints need");
  r.optional("ca", out.ca, "PEM: the authorities to believe; left out: the machine's");
  r.optional("cert", out.certificate.cert, "PEM: our certificate, for endpoints that ask for one");
  r.optional("key", out.certificate.key, "PEM: its private key, without a passphrase");
  r.optional("server_name", out.server_name,
             "asked for (SNI) and verified, in place of the endpoint's name or address");
  r.optional("verify", out.verify, "off believes any certificate, so anybody in between");
  if (r.is_describing()) return;
  if (out.certificate.cert->empty() != out.certificate.key->empty()) r.problem("'cert' and 'key' go together");
}

void decode(config::Reader& r, PingSettings& out) {
  r.optional("ping_interval", out.interval,
             "a connection on which nothing arrives for so long is checked by a PING; 0 = none without a reason");
  r.optional("ping_timeout", out.timeout, "for the answer to a PING, and for an endpoint's first SETTINGS",
             config::at_least(Duration(std::chrono::milliseconds(1))));
  if (out.interval > Duration{} && out.interval < std::chrono::seconds(1)) {
    r.problem_at("ping_interval", "endpoints take PINGs more often than once a second for a flood",
                 "write 1s or more, or 0");
  }
}

void decode(config::Reader& r, UpstreamSettings& out) {
  r.tagged("balance", out.balance, balance_tags(), "how requests are spread over the endpoints");
  r.required("endpoints", out.endpoints, "where the requests go", config::non_empty);
  r.optional("timeouts", out.timeouts, "each limits one wait for an endpoint");
  r.optional("slow_start", out.slow_start, "an endpoint that joins or recovers gets its share little by little");
  r.optional("queue", out.queue, "requests that wait while every endpoint is at its limit");
  std::string host = "keep";
  r.optional("host", host, "the Host sent: keep (the client's), endpoint, or a name", config::non_empty,
             config::without_keys("write keep, the default: the client's Host; or endpoint, or a name"));
  out.host = parse_host(host);
  r.optional("tls", out.tls, "how the endpoints are spoken to; true, or a block");
  r.optional("protocol", out.protocol, "auto is what both sides know, by ALPN; HTTP/1.1 in the clear");
  r.optional("http2", out.pings, "how dead HTTP/2 connections are found");
  r.optional("max_idle", out.max_idle, "idle connections kept by each worker");
  r.optional("max_requests_per_connection", out.max_requests_per_connection, "0 = no limit");
  r.optional("retry_reused", out.retry_reused, "send once more when a connection dies without a byte of an answer");
  r.optional("proxy_protocol", out.proxy_protocol,
             "tell the client's address by a PROXY header; each request has a connection of its own then");
  r.optional("health_check", out.health_check, "endpoints are asked how they are; left out: they are taken for up");
  r.optional("outlier_detection", out.outlier_detection, "endpoints are put aside for what they answer");
  r.optional("connect_attempts", out.connect_attempts,
             "endpoints that a request tries, until one takes a connection; 1 = no other", config::in_range(1.0, 10.0));
  r.optional("panic", out.panic, "without a healthy endpoint all are used (auto), or requests fail with 503 (never)");
  r.optional("panic_threshold", out.panic_threshold, "with a smaller share of healthy endpoints all are used, too");
  r.optional("overprovisioning", out.overprovisioning,
             "backups get what the healthy share of primaries, times this, can't bear; 0 = they wait for the last",
             config::in_range(0.0, 10.0));
  r.optional("health_header", out.health_header,
             "a field by which an endpoint says that it is `degraded`, `drain`ing, `down` or `up` again");
  r.extensions(out.gates, r.tags<GateFactory>());
  if (r.is_describing()) return;
  check_health(r, out);
  check_endpoints(r, out);
  check_slow_start(r, out);
  check_http2(r, out);
}

void decode(config::Reader& r, ResolverSettings& out) {
  r.optional("servers", out.servers, "IP and port of each; left out: those of /etc/resolv.conf", config::non_empty);
  r.optional("timeout", out.timeout, "of one try", config::at_least(Duration(std::chrono::milliseconds(1))));
  r.optional("tries", out.tries, "of each server", config::in_range(1.0, 10.0));
  if (r.is_describing()) return;
  for (const auto& server : out.servers) {
    const auto parsed = net::Address::parse(*server);
    if (parsed && parsed->is_ip() && parsed->port() != 0) continue;
    r.problems().add(server.at, "'" + *server + "' is not the address of a server", "write 127.0.0.53:53");
  }
}

net::ResolverSettings ResolverSettings::settings() const {
  net::ResolverSettings settings{{}, timeout, tries};
  for (const auto& server : servers) {
    if (const auto address = net::Address::parse(*server)) settings.servers.push_back(*address);
  }
  return settings;
}

}  // namespace weir::upstream
