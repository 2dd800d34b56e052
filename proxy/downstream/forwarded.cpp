#include "downstream/forwarded.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <tuple>

#include "downstream/forwarded_list.h"
#include "http/hop_by_hop.h"
#include "http/syntax.h"
#include "http/target.h"

namespace weir::downstream {

namespace {

using http::Field;

bool is_trusted(const net::Address& address, const std::vector<net::Network>& networks) {
  for (const auto& network : networks) {
    if (network.contains(address)) return true;
  }
  return false;
}

/// One text for each address, however a proxy wrote it.
std::string_view text_of(const net::Address& address, Arena& arena) {
  std::array<char, INET6_ADDRSTRLEN> text;
  return arena.copy(address.ip(text));
}

/// Looks for the client in a list of addresses, from its right end: the first that isn't a trusted proxy's, which nginx
/// calls real_ip_recursive.
class ClientSearch {
 public:
  explicit ClientSearch(const std::vector<net::Network>& trusted) : trusted_(trusted) {}

  /// The next one on the left. False when nothing left of it counts. Empty ones don't (RFC 9110 section 5.6.1).
  bool see(std::string_view node) {
    if (node.empty()) return true;
    const auto address = net::Address::parse_node(node);
    if (!address) return false;
    found_ = address;
    return is_trusted(*address, trusted_);
  }
  std::string_view found(std::string_view otherwise, Arena& arena) const {
    return found_ ? text_of(*found_, arena) : otherwise;
  }

 private:
  const std::vector<net::Network>& trusted_;
  std::optional<net::Address> found_;
};

void search(ClientSearch& client, std::string_view list) {
  while (!list.empty()) {
    const auto comma = list.rfind(',');
    if (!client.see(trim(comma == std::string_view::npos ? list : list.substr(comma + 1)))) return;
    list = list.substr(0, comma == std::string_view::npos ? 0 : comma);
  }
}

/// A list that is written from its right end.
class LeftwardText {
 public:
  LeftwardText(Arena& arena, size_t room) : end_(static_cast<char*>(arena.bump(room, 1)) + room), at_(end_) {}
  void put(std::string_view piece) {
    at_ -= piece.size();
    std::ranges::copy(piece, at_);
  }
  std::string_view text() const { return {at_, end_}; }

 private:
  char* end_;
  char* at_;
};

std::string_view scheme_of(const Exchange& exchange) { return exchange.client.is_encrypted ? "https" : "http"; }

std::string_view decimal(Arena& arena, uint16_t number) {
  std::array<char, 5> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  return arena.copy({digits.data(), static_cast<size_t>(end - digits.data())});
}

/// Ours alone, or appended to what a trusted proxy sent.
void extend(Exchange& exchange, std::string_view name, Field field, std::string_view theirs, std::string_view ours) {
  auto& headers = exchange.request.headers;
  headers.set(name, theirs.empty() ? ours : exchange.arena().concat({theirs, ", ", ours}), field);
}

std::string_view told_by_proxies(const Exchange& exchange, std::string_view name) {
  return exchange.client.is_trusted ? exchange.request.headers.joined(name).value_or("") : std::string_view{};
}

/// A trusted proxy's own word stands; a stranger's is replaced.
void keep_or_set(Exchange& exchange, std::string_view name, Field field, std::string_view ours) {
  auto& headers = exchange.request.headers;
  if (exchange.client.is_trusted && headers.has(field)) return;
  headers.set(name, ours, field);
}

constexpr auto kForwardingFields = std::to_array({Field::forwarded, Field::x_forwarded_for, Field::x_forwarded_proto,
                                                  Field::x_forwarded_host, Field::x_forwarded_port, Field::x_real_ip});

/// What a stranger says of itself, or the other family's fields.
void drop_forwarding(http::Headers& headers, Field but = Field::other) {
  constexpr auto kAll = std::apply([](auto... field) { return http::set_of(field...); }, kForwardingFields);
  if (!headers.may_have(kAll)) return;
  for (const Field field : kForwardingFields) {
    if (field != but) headers.remove(field);
  }
}

/// Who a stranger claims to be.
void drop_identity(http::Headers& headers, http::FieldSet withheld) {
  if (!headers.may_have(withheld)) return;
  headers.remove_if([withheld](const http::Header& header) { return (http::set_of(header.field) & withheld) != 0; });
}

/// The field that the configuration names, if it is there once and has an address; else by the family of fields that
/// this configuration believes in, and no other: a proxy that writes one may pass the client's own version of the
/// other.
std::string_view client_behind_proxies(Exchange& exchange, const Forwarding& forwarding, std::string_view peer) {
  const auto& headers = exchange.request.headers;
  if (!forwarding.client_field.empty()) {
    const auto told = net::Address::parse_node(headers.joined(forwarding.client_field).value_or(""));
    if (told) return text_of(*told, exchange.arena());
  }
  ClientSearch client(forwarding.trusted_proxies);
  if (forwarding.style != Forwarding::Style::rfc7239) {
    search(client, headers.joined("X-Forwarded-For").value_or(""));
  } else {
    ForwardedReader reader(headers.joined("Forwarded").value_or(""));
    // A member without `for`: that proxy doesn't say who spoke to it, and nobody vouches for what stands before.
    while (reader.next() && !reader.member().node.empty() && client.see(reader.member().node)) {
    }
  }
  return client.found(peer, exchange.arena());
}

/// What trusted proxies say of the URL that the client asked for; each may be a list, of which the upstream believes
/// whom it likes.
struct Told {
  std::string_view scheme;
  std::string_view host;
  std::string_view port;
  bool is_clear = true;  // everybody reads it alike
};

Told told_by_x_forwarded(const http::Headers& headers) {
  const auto said = [&](std::string_view name) { return headers.joined(name).value_or(""); };
  return {said("X-Forwarded-Proto"), said("X-Forwarded-Host"), said("X-Forwarded-Port"), true};
}

Told told_by_forwarded(Arena& arena, std::string_view list) {
  LeftwardText schemes(arena, list.size());
  LeftwardText hosts(arena, list.size());
  std::string_view comma;
  bool is_clear = true;
  ForwardedReader reader(list);
  while (reader.next()) {
    const auto& member = reader.member();
    for (const auto piece : {comma, member.scheme}) schemes.put(piece);
    for (const auto piece : {comma, member.host}) hosts.put(piece);
    comma = ",";
    is_clear = is_clear && member.is_unequivocal;
  }
  return {schemes.text(), hosts.text(), {}, is_clear && reader.is_at_end()};
}

/// The client's own is the first one.
std::string_view first_scheme(std::string_view list) {
  const auto first = trim(list.substr(0, list.find(',')));
  for (const std::string_view scheme : {"https", "http"}) {
    if (equals_ignoring_case(first, scheme)) return scheme;
  }
  return {};
}

/// The upstream could know as much from the request's own URL.
bool is_plain(const Told& told, const Exchange& exchange) {
  const auto& client = exchange.client;
  const auto authority = std::string_view(exchange.request.authority);
  const auto named = http::port_of(authority);
  const std::string_view usual = client.scheme() == "https" ? "443" : "80";
  return (told.scheme.empty() || equals_ignoring_case(told.scheme, client.scheme())) &&
         (told.host.empty() || equals_ignoring_case(told.host, authority)) &&
         (told.port.empty() || told.port == (named.empty() ? usual : named));
}

/// By the family of fields that will be passed on; which one it is, a byte tells that no field can have.
void hear_of_url(Exchange& exchange, Forwarding::Style style) {
  auto& client = exchange.client;
  auto& arena = exchange.arena();
  const auto hear = [&](std::string_view family, const Told& told) {
    if (client.scheme_told.empty()) client.scheme_told = first_scheme(told.scheme);
    if (is_plain(told, exchange)) return;
    client.url_told = arena.concat({client.url_told, family, told.scheme, "\n", told.host, "\n", told.port, "\n"});
  };
  if (style != Forwarding::Style::rfc7239) hear("", told_by_x_forwarded(exchange.request.headers));
  if (style == Forwarding::Style::x_forwarded) return;
  const auto whole = exchange.request.headers.joined("Forwarded").value_or("");
  const auto told = told_by_forwarded(arena, whole);
  hear("\f", told);
  if (!told.is_clear) client.url_told = arena.concat({client.url_told, "\f\f", whole, "\n"});
}

/// RFC 9440: what the upstream reads here must be our word alone.
void tell_certificate(Exchange& exchange) {
  auto& headers = exchange.request.headers;
  if (headers.may_have(http::set_of(Field::client_cert, Field::client_cert_chain))) {
    headers.remove(Field::client_cert);
    headers.remove(Field::client_cert_chain);
  }
  const auto* const tls = exchange.client.tls;
  if (!tls || tls->certificate.empty()) return;
  headers.add("Client-Cert", exchange.arena().concat({":", tls->certificate, ":"}), Field::client_cert);
}

/// The client's address as Weir believes it, also where a trusted proxy sent another.
void tell_real_ip(Exchange& exchange, std::string_view peer) {
  auto& client = exchange.client;
  const bool is_address = !peer.empty() || net::Address::parse_ip(client.ip, 0);  // not: of a unix socket
  if (is_address) exchange.request.headers.set("X-Real-IP", client.ip, Field::x_real_ip);
  else exchange.request.headers.remove(Field::x_real_ip);
}

void tell_by_x_forwarded(Exchange& exchange, std::string_view peer) {
  auto& headers = exchange.request.headers;
  headers.remove(Field::forwarded);
  if (!peer.empty())
    extend(exchange, "X-Forwarded-For", Field::x_forwarded_for, told_by_proxies(exchange, "X-Forwarded-For"), peer);
  tell_real_ip(exchange, peer);
  keep_or_set(exchange, "X-Forwarded-Proto", Field::x_forwarded_proto, scheme_of(exchange));
  if (!exchange.request.authority.empty())
    keep_or_set(exchange, "X-Forwarded-Host", Field::x_forwarded_host, exchange.request.authority);
  if (exchange.client.local_port != 0) {
    keep_or_set(exchange, "X-Forwarded-Port", Field::x_forwarded_port,
                decimal(exchange.arena(), exchange.client.local_port));
  }
}

/// What is left of a Forwarded field without the part that Weir doesn't believe: another reader may take an odd quote
/// there for one that encloses what stands behind it.
std::string_view believed_part(std::string_view list) {
  ForwardedReader reader(list);
  while (reader.next()) {
  }
  return reader.read();
}

/// "HOST[:PORT]" that no reader of a list takes for something else, be it one that knows no quotes.
bool is_plain_host(std::string_view authority) {
  return std::ranges::all_of(authority, [](char c) {
    return (to_lower(c) >= 'a' && to_lower(c) <= 'z') || http::is_digit(c) || std::string_view(".-_:[]").contains(c);
  });
}

/// RFC 7239 section 4: an IPv6 address is quoted and bracketed, a host with a port is quoted. A host with other
/// characters is left out: the client chose them.
void tell_by_forwarded(Exchange& exchange, std::string_view peer) {
  const auto theirs = believed_part(told_by_proxies(exchange, "Forwarded"));
  drop_forwarding(exchange.request.headers, Field::forwarded);
  auto& arena = exchange.arena();
  const bool is_v6 = peer.find(':') != std::string_view::npos;
  const auto node = peer.empty() ? std::string_view("unknown") : is_v6 ? arena.concat({"\"[", peer, "]\""}) : peer;
  const auto host = is_plain_host(exchange.request.authority) ? exchange.request.authority : std::string_view{};
  extend(exchange, "Forwarded", Field::forwarded, theirs,
         arena.concat({"for=", node, ";proto=", scheme_of(exchange), host.empty() ? "" : ";host=\"", host,
                       host.empty() ? "" : "\""}));
}

/// RFC 9110 section 7.6.3: each member is `protocol SP received-by`.
bool went_through(std::string_view via, std::string_view pseudonym) {
  bool found = false;
  for_each_member(via, [&](std::string_view member) {
    const auto space = member.find(' ');
    if (space == std::string_view::npos) return true;
    auto by = trim(member.substr(space + 1));
    by = by.substr(0, by.find_first_of(" ("));
    found = equals_ignoring_case(by, pseudonym);
    return !found;
  });
  return found;
}

/// RFC 8586 section 2: each member is our name or another's, perhaps with parameters.
Result<> extend_loop(Exchange& exchange, const std::string& id) {
  auto& headers = exchange.request.headers;
  if (!headers.has(Field::cdn_loop)) {
    headers.add("CDN-Loop", id, Field::cdn_loop);
    return {};
  }
  const auto passed = *headers.joined("CDN-Loop");
  bool is_loop = false;
  for_each_member(passed, [&](std::string_view member) {
    is_loop = equals_ignoring_case(trim(member.substr(0, member.find(';'))), id);
    return !is_loop;
  });
  if (is_loop) {
    return fail(ErrorCode::loop_detected, Side::self, "the request has been through this proxy already (CDN-Loop)");
  }
  headers.set("CDN-Loop", exchange.arena().concat({passed, ", ", id}), Field::cdn_loop);
  return {};
}

Result<> extend_via(Exchange& exchange, const std::string& pseudonym) {
  if (pseudonym.empty()) return {};
  auto& headers = exchange.request.headers;
  const auto version = http::name_of(exchange.request.version).substr(std::string_view("HTTP/").size());
  const auto ours = exchange.arena().concat({version, " ", pseudonym});
  if (!headers.has(Field::via)) {
    headers.add("Via", ours, Field::via);
    return {};
  }
  const auto via = *headers.joined("Via");
  if (went_through(via, pseudonym)) {
    return fail(ErrorCode::loop_detected, Side::self, "the request has been through this proxy already (Via)");
  }
  headers.set("Via", exchange.arena().concat({via, ", ", ours}));
  return {};
}

}  // namespace

Result<> prepare_forwarding(Exchange& exchange, const Forwarding& forwarding) {
  auto& headers = exchange.request.headers;
  auto& client = exchange.client;
  const auto peer = client.ip;
  client.is_trusted = forwarding.trusts(client.peer);
  if (client.is_trusted) client.ip = client_behind_proxies(exchange, forwarding, peer);
  if (client.is_trusted) hear_of_url(exchange, forwarding.style);
  else {
    drop_forwarding(headers);
    drop_identity(headers, forwarding.withheld);
    if (!forwarding.client_field.empty()) headers.remove(forwarding.client_field);
  }
  exchange.request.scheme = client.scheme();  // whatever the target, or :scheme, says
  // We do take trailers, and pass them on; without being told so, gRPC servers send none.
  if (http::remove_hop_by_hop(headers).trailers) headers.add("TE", "trailers", Field::te);
  tell_certificate(exchange);
  const auto shown = client.peer.is_ip() ? peer : std::string_view{};
  if (forwarding.style == Forwarding::Style::x_forwarded) tell_by_x_forwarded(exchange, shown);
  if (forwarding.style == Forwarding::Style::rfc7239) tell_by_forwarded(exchange, shown);
  if (auto extended = extend_loop(exchange, forwarding.loop_id); !extended) return extended;
  return extend_via(exchange, forwarding.via);
}

}  // namespace weir::downstream
