#include "downstream/forwarded.h"

#include <array>
#include <charconv>
#include <tuple>

#include "base/arena_text.h"
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

/// The right-most address of `list` that isn't a trusted proxy: what nginx calls real_ip_recursive. Empty members don't
/// count (RFC 9110 section 5.6.1).
std::string_view right_most_stranger(std::string_view list, const std::vector<net::Network>& trusted,
                                     std::string_view otherwise, Arena& arena) {
  std::optional<net::Address> last;
  while (!list.empty()) {
    const auto comma = list.rfind(',');
    const auto member = trim(comma == std::string_view::npos ? list : list.substr(comma + 1));
    list = comma == std::string_view::npos ? std::string_view{} : list.substr(0, comma);
    if (member.empty()) continue;
    const auto address = net::Address::parse_node(member);
    if (!address) break;
    last = address;
    if (!is_trusted(*address, trusted)) break;
  }
  return last ? text_of(*last, arena) : otherwise;
}

std::string_view scheme_of(const Exchange& exchange) { return exchange.client.is_encrypted ? "https" : "http"; }

std::string_view decimal(Arena& arena, uint16_t number) {
  std::array<char, 5> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  return arena.copy({digits.data(), static_cast<size_t>(end - digits.data())});
}

/// Ours alone, or appended to what a trusted proxy sent.
void extend(Exchange& exchange, std::string_view name, Field field, std::string_view ours) {
  auto& headers = exchange.request.headers;
  if (exchange.client.is_trusted) {
    if (const auto theirs = headers.joined(name); theirs && !theirs->empty()) {
      headers.set(name, exchange.arena().concat({*theirs, ", ", ours}), field);
      return;
    }
  }
  headers.set(name, ours, field);
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

/// A parameter of one member of a Forwarded field, without quotes (RFC 7239 section 4); "" = it isn't there.
std::string_view parameter_of(std::string_view member, std::string_view name) {
  while (!member.empty()) {
    const auto end = member.find(';');
    const auto pair = trim(member.substr(0, end));
    member = end == std::string_view::npos ? std::string_view{} : member.substr(end + 1);
    const auto equals = pair.find('=');
    if (equals == std::string_view::npos || !equals_ignoring_case(trim(pair.substr(0, equals)), name)) continue;
    const auto value = trim(pair.substr(equals + 1));
    return value.starts_with('"') ? value.substr(1, value.rfind('"') - 1) : value;
  }
  return {};
}

/// The `for` of one member, without brackets and port (RFC 7239 section 6).
std::string_view node_of(std::string_view member) {
  const auto node = parameter_of(member, "for");
  if (node.starts_with('[')) return node.substr(1, node.find(']') - 1);
  return node.substr(0, node.find(':'));
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
  if (forwarding.style != Forwarding::Style::rfc7239) {
    return right_most_stranger(headers.joined("X-Forwarded-For").value_or(""), forwarding.trusted_proxies, peer,
                               exchange.arena());
  }
  const auto list = headers.joined("Forwarded").value_or("");
  ArenaText nodes(exchange.arena(), list.size());
  for_each_member(list, [&](std::string_view member) {
    nodes << (nodes.empty() ? "" : ",") << node_of(member);
    return true;
  });
  return right_most_stranger(nodes.text(), forwarding.trusted_proxies, peer, exchange.arena());
}

/// What trusted proxies say of the URL that the client asked for; each may be a list, of which the upstream believes
/// whom it likes.
struct Told {
  std::string_view scheme;
  std::string_view host;
  std::string_view port;
};

Told told_by_x_forwarded(const http::Headers& headers) {
  const auto said = [&](std::string_view name) { return headers.joined(name).value_or(""); };
  return {said("X-Forwarded-Proto"), said("X-Forwarded-Host"), said("X-Forwarded-Port")};
}

Told told_by_forwarded(Exchange& exchange) {
  ArenaText schemes(exchange.arena());
  ArenaText hosts(exchange.arena());
  std::string_view comma;
  for_each_member(exchange.request.headers.joined("Forwarded").value_or(""), [&](std::string_view member) {
    schemes << comma << parameter_of(member, "proto");
    hosts << comma << parameter_of(member, "host");
    comma = ",";
    return true;
  });
  return {schemes.text(), hosts.text(), {}};
}

/// A member that everybody reads alike (RFC 7239 section 4): pairs of other names each, none of which has but ends with
/// the name of one that counts; values with nothing in them that separates or escapes.
bool is_clear(std::string_view member) {
  const auto pairs = member;
  while (!member.empty()) {
    const auto end = member.find(';');
    const auto pair = trim(member.substr(0, end));
    member = end == std::string_view::npos ? std::string_view{} : member.substr(end + 1);
    const auto equals = std::min(pair.find('='), pair.size());
    const auto name = pair.substr(0, equals);
    auto value = pair.substr(std::min(equals + 1, pair.size()));
    if (value.size() > 1 && value.starts_with('"') && value.ends_with('"')) value = value.substr(1, value.size() - 2);
    if (!http::is_token(name) || value.empty() || value.find_first_of("\"\\= \t") != std::string_view::npos)
      return false;
    for (const std::string_view counted : {"host", "proto"}) {
      const bool ends_so =
          name.size() >= counted.size() && equals_ignoring_case(name.substr(name.size() - counted.size()), counted);
      if (ends_so && (name.size() > counted.size() || parameter_of(pairs, counted).data() != value.data()))
        return false;
    }
  }
  return true;
}

bool is_clear_list(std::string_view list) {
  bool is_all_clear = true;
  for_each_member(list, [&](std::string_view member) { return is_all_clear = is_clear(member); });
  return is_all_clear;
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
  hear("\f", told_by_forwarded(exchange));
  const auto whole = exchange.request.headers.joined("Forwarded").value_or("");
  if (!is_clear_list(whole)) client.url_told = arena.concat({client.url_told, "\f\f", whole, "\n"});
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
  if (!peer.empty()) extend(exchange, "X-Forwarded-For", Field::x_forwarded_for, peer);
  tell_real_ip(exchange, peer);
  keep_or_set(exchange, "X-Forwarded-Proto", Field::x_forwarded_proto, scheme_of(exchange));
  if (!exchange.request.authority.empty())
    keep_or_set(exchange, "X-Forwarded-Host", Field::x_forwarded_host, exchange.request.authority);
  if (exchange.client.local_port != 0) {
    keep_or_set(exchange, "X-Forwarded-Port", Field::x_forwarded_port,
                decimal(exchange.arena(), exchange.client.local_port));
  }
}

/// RFC 7239 section 4: an IPv6 address is quoted and bracketed, a host with a port is quoted.
void tell_by_forwarded(Exchange& exchange, std::string_view peer) {
  drop_forwarding(exchange.request.headers, Field::forwarded);
  auto& arena = exchange.arena();
  const bool is_v6 = peer.find(':') != std::string_view::npos;
  const auto node = peer.empty() ? std::string_view("unknown") : is_v6 ? arena.concat({"\"[", peer, "]\""}) : peer;
  const auto host = exchange.request.authority;
  extend(exchange, "Forwarded", Field::forwarded,
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
  client.is_trusted = !forwarding.trusted_proxies.empty() && is_trusted(client.peer, forwarding.trusted_proxies);
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
