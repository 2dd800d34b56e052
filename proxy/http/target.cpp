#include "http/target.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "http/decoded_path.h"
#include "http/path_builder.h"
#include "http/syntax.h"

namespace weir::http {

namespace {

std::unexpected<Error> refuse(std::string_view detail) { return fail(ErrorCode::bad_request, Side::client, detail); }

constexpr bool is_unreserved(char c) {
  return is_alpha(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
}
constexpr auto kNameBytes =
    table_of([](char c) { return is_unreserved(c) || std::string_view("!$&'()*+,;=").contains(c); });

bool is_registered_name(std::string_view host) {
  for (size_t i = 0; i < host.size(); ++i) {
    if (is_in(kNameBytes, host[i])) continue;
    if (host[i] != '%' || escaped_byte(host.substr(i)) < 0) return false;
    i += 2;
  }
  return !host.empty();
}

// "[::1]"; neither zone ids nor IPvFuture, which nobody sends.
bool is_ip_literal(std::string_view host) {
  char text[INET6_ADDRSTRLEN];
  if (host.size() < 4 || host.size() - 2 >= sizeof text || host.back() != ']') return false;
  const auto inner = host.substr(1, host.size() - 2);
  std::memcpy(text, inner.data(), inner.size());
  text[inner.size()] = '\0';
  in6_addr address;
  return !inner.contains('\0') && inet_pton(AF_INET6, text, &address) == 1;
}

bool is_port(std::string_view port) {
  if (port.empty()) return true;
  const auto number = parse_decimal(port);
  return number && *number <= 65535;
}

constexpr auto kTargetBytes = table_of([](char c) { return c > ' ' && c < '\x7f' && c != '#'; });

void split_path(std::string_view rest, RequestHead& head) {
  const auto question = rest.find('?');
  head.has_query = question != std::string_view::npos;
  head.path = rest.substr(0, question);
  head.query = head.has_query ? rest.substr(question + 1) : std::string_view();
}

Result<> split_authority_form(std::string_view target, RequestHead& head) {
  if (!is_valid_authority(target) || port_of(target).empty()) return refuse("CONNECT takes host:port");
  head.authority = target;
  head.path = head.query = {};
  head.has_query = false;
  return {};
}

Result<> split_absolute_form(std::string_view target, RequestHead& head) {
  const auto colon = target.find("://");
  if (colon == std::string_view::npos) return refuse("the request-target is neither a path nor a URI");
  const auto scheme = target.substr(0, colon);
  if (equals_ignoring_case(scheme, "http")) {
    head.scheme = "http";
  } else if (equals_ignoring_case(scheme, "https")) {
    head.scheme = "https";
  } else {
    return refuse("the request-target's scheme is neither http nor https");
  }
  const auto rest = target.substr(colon + 3);
  const auto slash = std::min(rest.find_first_of("/?"), rest.size());
  head.authority = rest.substr(0, slash);
  if (head.authority.contains('@')) return refuse("userinfo in the request-target");
  if (!is_valid_authority(head.authority)) return refuse("the request-target's authority is not host[:port]");
  split_path(rest.substr(slash), head);
  if (head.path.empty()) {  // RFC 9112 section 3.2.4
    head.path = head.method == Method::options && !head.has_query ? "*" : "/";
  }
  return {};
}

bool needs_work(std::string_view path, const PathPolicy& policy) {
  for (size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '%' || path[i] == '\\') return true;
    if (path[i] == '/' && i + 1 < path.size()) {
      if (path[i + 1] == '.' || (path[i + 1] == '/' && policy.merge_slashes)) return true;
    }
  }
  return false;
}

/// Both forms of the path are the path itself, whatever the policy.
bool is_plain(std::string_view path) {
  char before = '\0';
  for (const char c : path) {
    if (c == '%' || c == '\\' || c == ';' || (before == '/' && (c == '/' || c == '.'))) return false;
    before = c;
  }
  return true;
}

// What an escape becomes: a byte, the escape itself (0), or a refusal.
Result<char> unescape(std::string_view text, const PathPolicy& policy) {
  const int byte = escaped_byte(text);
  if (byte < 0) return refuse("a broken escape in the path");
  if (byte == 0) return refuse("%00 in the path");
  const char c = static_cast<char>(byte);
  if (is_unreserved(c)) return c;
  if (c != '/' && c != '\\') return '\0';
  const auto wish = c == '/' ? policy.encoded_slash : policy.encoded_backslash;
  if (wish == PathPolicy::Encoded::reject) {
    return refuse(c == '/' ? std::string_view("%2F in the path") : std::string_view("%5C in the path"));
  }
  return wish == PathPolicy::Encoded::decode ? c : '\0';
}

}  // namespace

std::string_view host_of(std::string_view authority) {
  if (authority.starts_with('[')) {
    const auto bracket = authority.find(']');
    return authority.substr(0, bracket == std::string_view::npos ? bracket : bracket + 1);
  }
  return authority.substr(0, authority.find(':'));
}

std::string_view port_of(std::string_view authority) {
  const auto rest = authority.substr(host_of(authority).size());
  return rest.starts_with(':') ? rest.substr(1) : std::string_view();
}

bool is_valid_authority(std::string_view authority) {
  const auto host = host_of(authority);
  const auto rest = authority.substr(host.size());
  if (!rest.empty() && (rest.front() != ':' || !is_port(rest.substr(1)))) return false;
  return host.starts_with('[') ? is_ip_literal(host) : is_registered_name(host);
}

Result<> split_target(std::string_view target, RequestHead& head) {
  if (target.empty()) return refuse("an empty request-target");
  if (!std::ranges::all_of(target, [](char c) { return is_in(kTargetBytes, c); }))
    return refuse("a byte in the request-target that no URI has");
  head.target = target;
  if (head.method == Method::connect) return split_authority_form(target, head);
  if (target.front() == '/') {
    split_path(target, head);
    return {};
  }
  if (target == "*") {
    if (head.method != Method::options) return refuse("only OPTIONS takes the request-target *");
    head.path = target;
    head.query = {};
    head.has_query = false;
    return {};
  }
  return split_absolute_form(target, head);
}

Result<std::string_view> normalize_path(std::string_view path, const PathPolicy& policy, Arena& arena) {
  if (!path.starts_with('/') || !needs_work(path, policy)) return path;
  const auto slashes = policy.merge_slashes ? PathBuilder::Slashes::merge : PathBuilder::Slashes::keep;
  PathBuilder builder(static_cast<char*>(arena.bump(path.size(), 1)), slashes);
  for (size_t i = 0; i < path.size(); ++i) {
    char c = path[i];
    std::string_view escape;
    if (c == '%') {
      const auto byte = unescape(path.substr(i), policy);
      if (!byte) return std::unexpected(byte.error());
      escape = path.substr(i, 3);
      c = *byte;
      i += 2;
    } else if (c == '\\' && policy.encoded_backslash == PathPolicy::Encoded::reject) {
      return refuse("a backslash in the path");
    }
    if (c == '/' && i > 0) {
      if (!builder.resolve()) return refuse("the path climbs above the root");
      if (builder.swallow_slash()) continue;
    }
    if (c == '\0') {
      builder.add_escape(escape);
    } else {
      builder.add(c);
    }
  }
  if (!builder.resolve()) return refuse("the path climbs above the root");
  return builder.path();
}

std::string_view with_one_slash(std::string_view path, Arena& arena) {
  const auto first = std::min(path.find_first_not_of("/\\"), path.size());
  if (first <= 1) return path;
  return path[first - 1] == '/' ? path.substr(first - 1) : arena.concat({"/", path.substr(first)});
}

Result<> normalize_path(RequestHead& head, const PathPolicy& policy) {
  head.decoded_path = {};
  if (!head.path.starts_with('/') || is_plain(head.path)) return {};
  Arena& arena = head.headers.arena();
  const auto path = normalize_path(head.path, policy, arena);
  if (!path) return std::unexpected(path.error());
  head.path = with_one_slash(*path, arena);
  if (policy.match == PathPolicy::Match::sent) return {};
  const auto decoded = decode_path(head.path, arena);
  if (!decoded) return std::unexpected(decoded.error());
  if (decoded->text != head.path) head.decoded_path = decoded->text;
  return {};
}

}  // namespace weir::http
