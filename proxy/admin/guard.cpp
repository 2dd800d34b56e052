#include "admin/guard.h"

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "net/address.h"

// Invariants. The checks come before any page is chosen, so that no page can forget them. A browser states the page
// that a request comes from in Origin (fetch, forms) and Sec-Fetch-Site; pages can change neither. Behind DNS rebinding
// both look like the same site, and only Host still has the name of the page. A request that is refused is answered as
// JSON, whatever it asked for: no HTML of Weir's appears in a foreign page.

namespace weir::admin {

namespace {

constexpr std::string_view kReasonNames[] = {"host", "origin", "site", "token", "read_only", "content_type"};

/// "[::1]:9901" -> "::1", "localhost:9901" -> "localhost".
std::string_view host_of(std::string_view authority) {
  if (authority.starts_with('[')) {
    const auto end = authority.find(']');
    const bool is_whole = end != authority.npos && (end + 1 == authority.size() || authority[end + 1] == ':');
    return is_whole ? authority.substr(1, end - 1) : std::string_view();
  }
  return authority.substr(0, authority.rfind(':'));
}

/// Does the Origin of a page name this very address? The scheme may be that of a TLS proxy in front.
bool is_same_origin(std::string_view origin, std::string_view authority) {
  const auto scheme_end = origin.find("://");
  if (scheme_end == origin.npos) return false;
  const auto scheme = origin.substr(0, scheme_end);
  if (!equals_ignoring_case(scheme, "http") && !equals_ignoring_case(scheme, "https")) return false;
  return !authority.empty() && equals_ignoring_case(origin.substr(scheme_end + 3), authority);
}

bool is_of_browser(const http::Headers& headers) {
  for (const auto& header : headers) {
    for (const std::string_view name : {"origin", "referer", "cookie"}) {
      if (equals_ignoring_case(header.name, name)) return true;
    }
    if (equals_ignoring_case(header.name.substr(0, 10), "sec-fetch-")) return true;
    if (equals_ignoring_case(header.name, "user-agent") && header.value.starts_with("Mozilla/")) return true;
  }
  return false;
}

bool is_json(const http::Headers& headers) {
  const auto type = headers.joined("content-type").value_or("");
  return equals_ignoring_case(trim(type.substr(0, type.find(';'))), "application/json");
}

/// Takes as long for a wrong text as for the right one of that length.
bool is_same_secret(std::string_view given, std::string_view expected) {
  if (given.size() != expected.size()) return false;
  unsigned char differences = 0;
  for (size_t i = 0; i < given.size(); ++i) differences |= static_cast<unsigned char>(given[i] ^ expected[i]);
  return differences == 0;
}

/// Load balancers and orchestrators ask these and have no token; they tell no more than that the process runs.
bool is_probe(std::string_view path) { return path == "/livez" || path == "/readyz"; }

Error refused(ErrorCode code, std::string_view detail) { return {code, Side::client, detail}; }

}  // namespace

Guard::Guard(FilterMetrics& metrics, Token token) : token_(token) {
  for (size_t i = 0; i < kReasons; ++i) {
    refused_[i] = &metrics.counter("admin_requests_refused", "Requests that the admin API refused to look at.",
                                   {{"reason", std::string(kReasonNames[i])}});
  }
}

bool Guard::is_known(std::string_view host) const {
  if (equals_ignoring_case(host, "localhost") || net::Address::parse_ip(host, 0)) return true;
  return std::ranges::any_of(access_->hosts, [&](const auto& known) { return equals_ignoring_case(known, host); });
}

/// RFC 6750 section 2.1.
bool Guard::has_token(const http::Headers& headers) const {
  const auto credentials = headers.joined("authorization").value_or("");
  constexpr std::string_view kScheme = "Bearer ";
  if (!equals_ignoring_case(credentials.substr(0, kScheme.size()), kScheme)) return false;
  return is_same_secret(trim(credentials.substr(kScheme.size())), access_->token);
}

std::optional<Guard::Refusal> Guard::refusal_of(const http::RequestHead& request) const {
  const auto& headers = request.headers;
  if (!is_known(host_of(request.authority))) {
    return Refusal{Reason::host, refused(ErrorCode::forbidden,
                                         "Host is neither an IP address nor localhost nor listed in admin.hosts")};
  }
  if (const auto origin = headers.joined("origin"); origin && !is_same_origin(*origin, request.authority))
    return Refusal{Reason::origin, refused(ErrorCode::forbidden, "a page of another origin asks")};
  if (const auto site = headers.joined("sec-fetch-site"); site && *site != "same-origin" && *site != "none")
    return Refusal{Reason::site, refused(ErrorCode::forbidden, "a page of another site asks")};
  const bool asks_for_token = token_ == Token::asked_for && !access_->token.empty() && !is_probe(request.path);
  if (asks_for_token && !has_token(headers)) {
    return Refusal{Reason::token, refused(ErrorCode::unauthorized,
                                          "the admin API wants 'Authorization: Bearer' and the token of token_file")};
  }
  if (request.method == http::Method::get || request.method == http::Method::head) return std::nullopt;
  if (access_->allows == Access::Allows::reading)
    return Refusal{Reason::read_only, refused(ErrorCode::forbidden, "the admin API is read-only here")};
  if (is_of_browser(headers) && !is_json(headers)) {
    return Refusal{Reason::content_type, refused(ErrorCode::unsupported_media_type,
                                                 "what a browser sends needs Content-Type: application/json")};
  }
  return std::nullopt;
}

bool Guard::admits(Exchange& exchange) const {
  const auto refusal = refusal_of(exchange.request);
  if (!refusal) return true;
  const auto reason = static_cast<size_t>(refusal->reason);
  refused_[reason]->add();
  if (const auto turn = lines_.turn(exchange.loop().now())) {
    log::warn("admin_request_refused", {{"reason", kReasonNames[reason]},
                                        {"client", exchange.client.ip},
                                        {"host", exchange.request.authority},
                                        {"origin", exchange.request.headers.joined("origin").value_or("")},
                                        {"path", exchange.request.path},
                                        {"more", turn->untold}});
  }
  exchange.request.headers.remove("accept");
  exchange.request.headers.remove("content-type");
  exchange.fail(refusal->error);
  exchange.response.head.headers.add("cache-control", "no-store");
  if (refusal->reason == Reason::token)
    exchange.response.head.headers.add("www-authenticate", "Bearer realm=\"weir admin\"");
  return false;
}

}  // namespace weir::admin
