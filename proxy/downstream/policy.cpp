#include "downstream/policy.h"

#include <algorithm>

#include "http/syntax.h"
#include "http/target.h"

namespace weir::config {

template <>
struct Scalar<net::Network> {
  static constexpr auto kKind = Shape::Kind::text;
  static constexpr std::string_view kExpected = "a network";
  static constexpr std::string_view kHint =
      "write an address or a CIDR block: 10.0.0.0/8, 192.168.1.7, fd00::/8, unix:";
  static std::optional<net::Network> parse(std::string_view text) { return net::Network::parse(text); }
  static Value value(const net::Network& network) { return Value::text(network.text()); }
  static double measure(const net::Network&) { return 0; }
};

}  // namespace weir::config

namespace weir::http {

auto choices(PathPolicy::Encoded*) {
  using Encoded = PathPolicy::Encoded;
  return std::array{config::Choice<Encoded>{"keep", Encoded::keep}, config::Choice<Encoded>{"reject", Encoded::reject},
                    config::Choice<Encoded>{"decode", Encoded::decode}};
}

auto choices(PathPolicy::Match*) {
  using Match = PathPolicy::Match;
  return std::array{config::Choice<Match>{"decoded", Match::decoded}, config::Choice<Match>{"sent", Match::sent}};
}

auto choices(HeadLimits::Underscores*) {
  using Underscores = HeadLimits::Underscores;
  return std::array{config::Choice<Underscores>{"drop", Underscores::drop},
                    config::Choice<Underscores>{"keep", Underscores::keep},
                    config::Choice<Underscores>{"reject", Underscores::reject}};
}

void decode(config::Reader& r, PathPolicy& out) {
  r.optional("encoded_slash", out.encoded_slash, "what becomes of %2F in a path");
  r.optional("encoded_backslash", out.encoded_backslash, "what becomes of %5C and a bare backslash in a path");
  r.optional("merge_slashes", out.merge_slashes, "whether // counts as one /");
  r.optional(
      "match", out.match,
      "the form of a path that routes and keys go by: with escaped slashes and backslashes decoded, parameters cut, "
      "slashes merged and dot segments resolved; or as it is sent");
}

}  // namespace weir::http

namespace weir::downstream {

namespace {

using std::chrono::milliseconds;

/// A size in the YAML, a plain number in the limits.
template <class Number>
void size(config::Reader& r, std::string_view key, Number& out, std::string_view about, Bytes least, Bytes most) {
  Bytes bytes{out};
  r.optional(key, bytes, about, config::in_range(least, most));
  out = static_cast<Number>(bytes.count);
}

constexpr Bytes kSmallest{64};
constexpr Bytes kLargest{16 << 20};

}  // namespace

void decode(config::Reader& r, Limits& out) {
  size(r, "request_line", out.head.request_line, "longest request line, else 414", kSmallest, kLargest);
  size(r, "head", out.head.head_bytes, "longest request head, else 431; trailers too", kSmallest, kLargest);
  r.optional("headers", out.head.fields, "most header lines of a request, else 431", config::in_range(1.0, 10000.0));
  size(r, "chunk_extensions", out.head.chunk_extensions, "most bytes of chunk extensions in one body, else 400",
       Bytes{0}, kLargest);
  r.optional("underscores", out.head.underscores, "what becomes of header names with an underscore");
  std::optional<Bytes> body;
  r.optional("body", body, "longest request body, else 413; a route may set its own; 0 = no bound");
  if (body) out.body = body->count == 0 ? UINT64_MAX : body->count;
  r.optional("requests_per_connection", out.requests_per_connection,
             "requests after which a connection closes; 0 = no bound");
  r.optional("connections", out.connections, "most client connections open at once", config::at_least(1));
  r.optional("connections_per_client", out.connections_per_client,
             "most connections of one client address; 0 = no bound");
  Bytes rate{out.body_rate};
  r.optional("body_rate", rate,
             "least bytes a second of a request body, once 5 s were spent waiting for it, else 408; 0 = none");
  out.body_rate = rate.count;
}

void decode(config::Reader& r, Methods& out) {
  r.optional("allow", out.allow, "methods that are forwarded beside the known ones: LIST, BAN", config::list_of_one);
  for (const auto& method : out.allow) {
    if (!http::is_token(method)) {
      r.problem_at("allow", "'" + method + "' is not a method", "write them as requests do: LIST, BAN");
    } else if (method == "CONNECT" || method == "TRACE" || method == "PRI") {
      r.problem_at("allow", "'" + method + "' can't be forwarded", "leave it out");
    }
  }
}

void decode(config::Reader& r, Timeouts& out) {
  const auto least = config::at_least(Duration(milliseconds(1)));
  r.optional("head", out.head, "from the first byte of a request to the end of its head, else 408", least);
  r.optional("idle", out.idle, "how long a connection may wait for its next request", least);
  r.optional("body", out.body, "between two pieces of a request body, else 408", least);
  r.optional("write", out.write, "how long a client may take nothing of its response before it is cut off", least);
}

static auto choices(Forwarding::Style*) {
  using Style = Forwarding::Style;
  return std::array{config::Choice<Style>{"x-forwarded", Style::x_forwarded},
                    config::Choice<Style>{"rfc7239", Style::rfc7239}, config::Choice<Style>{"none", Style::none}};
}

void decode(config::Reader& r, Forwarding& out) {
  r.optional("style", out.style,
             "which fields tell the upstream about the client: X-Forwarded-*, or Forwarded (RFC 7239)");
  r.optional("trusted_proxies", out.trusted_proxies, "networks whose own forwarding fields are believed and extended");
  r.optional("client_ip", out.client_field,
             "a field in which trusted proxies tell the client's address, before their forwarding fields: "
             "CF-Connecting-IP; of other clients it is removed",
             config::non_empty);
  if (!out.client_field.empty() && !http::is_token(out.client_field))
    r.problem_at("client_ip", "'" + out.client_field + "' is not the name of a field", "write one: CF-Connecting-IP");
  std::optional<std::string> via;
  r.optional(
      "via", via,
      "our name in the Via field, and in CDN-Loop, by which a loop is known; left out, requests have no Via, and "
      "the name in CDN-Loop is weir- and a hash of the host's name and the first listener's address",
      config::non_empty);
  if (via && !http::is_token(*via) && !http::is_valid_authority(*via))
    r.problem_at("via", "'" + *via + "' is not a name for Via", "write a word or a host: edge-1");
  if (via) out.via = out.loop_id = *via;
  std::vector<config::Located<std::string>> passed;
  r.optional("pass", passed,
             "of Remote-User, X-Forwarded-User, X-Forwarded-Email, X-Forwarded-Groups, X-Forwarded-Preferred-Username, "
             "X-Forwarded-Prefix, X-Original-URL, True-Client-IP and Proxy, those that are passed on from clients that "
             "are no trusted proxies; X-Remote-User goes with the first, X-Rewrite-URL with "
             "X-Original-URL",
             config::list_of_one);
  for (const auto& name : passed) {
    const auto field = http::field_of(*name);
    if (field == http::Field::other || (kIdentityFields & http::set_of(field)) == 0) {
      r.problems().add(name.at, "'" + *name + "' is not a field that Weir removes",
                       "write some of: Remote-User, X-Forwarded-User, X-Forwarded-Email, X-Forwarded-Groups, "
                       "X-Forwarded-Preferred-Username, X-Forwarded-Prefix, X-Original-URL, True-Client-IP, Proxy");
    } else {
      out.withheld &= ~http::set_of(field);
    }
  }
}

void decode(config::Reader& r, ProxyProtocol& out) {
  r.shorthand("trusted", config::Shorthand::scalar_or_list);
  r.required("trusted", out.trusted, "networks that may connect; whoever else does is cut off", config::non_empty,
             config::list_of_one);
  r.optional("timeout", out.timeout, "from the connection to the end of its header, else it is closed",
             config::at_least(Duration(milliseconds(1))));
}

bool ProxyProtocol::trusts(const net::Address& peer) const {
  return std::ranges::any_of(trusted, [&](const net::Network& network) { return network.contains(peer); });
}

bool Forwarding::trusts(const net::Address& peer) const {
  return std::ranges::any_of(trusted_proxies, [&](const net::Network& network) { return network.contains(peer); });
}

}  // namespace weir::downstream
