// The words that people bring along from nginx, HAProxy, Caddy, Traefik and Envoy, with what Weir has instead. A hint
// never guesses: a word that is not in these tables has no hint.

#include "config/foreign.h"

#include <algorithm>

#include "base/text.h"

namespace weir::config {

namespace {

struct Word {
  std::string_view foreign;
  std::string_view hint;
  std::string_view needs = {};  // only where this word is possible
};

constexpr std::string_view kNoCompression = "Weir does not compress: leave it to the upstream";
constexpr std::string_view kNoLogins = "Weir does not authenticate clients: leave it to the upstream";
constexpr std::string_view kFields = "write filters: [{ headers: { request: { set: … }, response: { set: … } } }]";
constexpr std::string_view kVersion = "write \"1.2\" or \"1.3\"";
constexpr std::string_view kUpstreams = "write upstreams: { NAME: { endpoints: [10.0.0.1:8080] } }";
constexpr std::string_view kMatch = "write match: { host: …, path: … } in a route";
constexpr std::string_view kHosts = "write a route for each host: routes: [{ match: { host: … }, upstream: NAME }]";
constexpr std::string_view kPrefix = "write path: /api, a prefix, or { exact: … }";
constexpr std::string_view kNoCors = "write the fields with filters: [{ headers: { response: { set: … } } }]";
constexpr std::string_view kListeners = "write listeners: [{ bind: 0.0.0.0:8080 }]";

constexpr Word kWords[] = {
    // Load balancing.
    {"least_conn", "write least_connections", "least_connections"},
    {"leastconn", "write least_connections", "least_connections"},
    {"LEAST_REQUEST", "write least_connections or random_two", "least_connections"},
    {"least_request", "write least_connections or random_two", "least_connections"},
    {"roundrobin", "write round_robin", "round_robin"},
    {"ROUND_ROBIN", "write round_robin", "round_robin"},
    {"wrr", "write round_robin", "round_robin"},
    {"random", "write random_two", "random_two"},
    {"ip_hash", "write { hash: client.ip }", "hash"},
    {"source", "write { hash: client.ip }", "hash"},
    {"uri", "write { hash: path }", "hash"},
    {"consistent_hash", "write { hash: KEY } or { maglev: KEY }", "hash"},
    {"RING_HASH", "write { hash: KEY }", "hash"},
    {"MAGLEV", "write { maglev: KEY }", "maglev"},
    {"sticky", "write balance: { hash: cookie.NAME }", "endpoints"},
    {"lb_policy", "write balance", "balance"},
    // Versions of TLS.
    {"TLSv1.2", kVersion},
    {"TLSv1.3", kVersion},
    {"TLS1.2", kVersion},
    {"TLS1.3", kVersion},
    {"VersionTLS12", kVersion},
    {"VersionTLS13", kVersion},
    {"ssl", "write tls", "tls"},
    {"ssl_certificate", "write tls: { certificates: [{ cert: …, key: … }] }"},
    {"ssl_certificate_key", "write tls: { certificates: [{ cert: …, key: … }] }"},
    {"ssl_protocols", "write tls: { min_version: \"1.2\" }"},
    // Where clients connect, and which requests a route takes.
    {"listen", "write bind", "bind"},
    {"listen", kListeners, "listeners"},
    {"http", kListeners, "listeners"},
    {"server", kHosts, "upstreams"},
    {"server", "write endpoints", "endpoints"},
    {"servers", "write endpoints", "endpoints"},
    {"targets", "write endpoints", "endpoints"},
    {"entryPoints", kListeners},
    {"frontend", "write listeners and routes"},
    {"backend", kUpstreams, "upstreams"},
    {"backends", kUpstreams, "upstreams"},
    {"clusters", kUpstreams, "upstreams"},
    {"services", kUpstreams, "upstreams"},
    {"backend", "write upstream: NAME", "upstream"},
    {"service", "write upstream: NAME", "upstream"},
    {"use_backend", "write upstream: NAME in a route"},
    {"default_backend", "write a last route without match: { upstream: NAME }"},
    {"proxy_pass", "write upstream: NAME in a route"},
    {"reverse_proxy", "write upstream: NAME in a route"},
    {"location", kMatch},
    {"server_name", kMatch},
    {"rule", kMatch},
    {"acl", kMatch},
    // What belongs into `match`, and stands beside it by its indent.
    {"host", "host belongs into match: indent it below match:", "match"},
    {"path", "path belongs into match: indent it below match:", "match"},
    {"methods", "methods belongs into match: indent it below match:", "match"},
    {"query", "query belongs into match: indent it below match:", "match"},
    {"listener", "listener belongs into match: indent it below match:", "match"},
    {"headers", "write match: { headers: … } to match them, filters: [{ headers: … }] to change them", "match"},
    {"hostname", "write host", "host"},
    {"pathPrefix", kPrefix, "methods"},
    {"path_prefix", kPrefix, "methods"},
    {"prefix", kPrefix, "methods"},
    {"pathType", kPrefix, "methods"},
    {"virtual_hosts", kHosts, "upstreams"},
    {"virtualHosts", kHosts, "upstreams"},
    {"paths", "write path, or one route for each", "path"},
    {"hosts", "write host: it takes a list", "host"},
    {"method", "write methods", "methods"},
    {"not", "there is no negation: put a route for the exception before this one", "methods"},
    {"return", "write respond: 404 or redirect: { to: …, status: 301 }"},
    {"try_files", "Weir serves no files: leave them to the upstream"},
    {"root", "Weir serves no files: leave them to the upstream"},
    {"file_server", "Weir serves no files: leave them to the upstream"},
    // What happens to requests and responses.
    {"middlewares", "write filters"},
    {"plugins", "write filters"},
    {"gzip", kNoCompression},
    {"brotli", kNoCompression},
    {"compress", kNoCompression},
    {"encode", kNoCompression},
    {"compression", kNoCompression},
    {"auth_basic", kNoLogins},
    {"auth_request", kNoLogins},
    {"basicauth", kNoLogins},
    {"basic_auth", kNoLogins},
    {"basicAuth", kNoLogins},
    {"forwardAuth", kNoLogins},
    {"forward_auth", kNoLogins},
    {"jwt", kNoLogins, "request_id"},
    {"add_header", kFields},
    {"proxy_set_header", kFields},
    {"header", "write headers: { NAME: value }", "methods"},
    {"header", kFields, "headers"},
    {"cors", kNoCors},
    {"strip_prefix", "write rewrite: { prefix: / } in the route", "rewrite"},
    {"stripPrefix", "write rewrite: { prefix: / } in the route", "rewrite"},
    {"strip_prefix", "write rewrite: { prefix: / } in the route, not as a filter", "request_id"},
    {"stripPrefix", "write rewrite: { prefix: / } in the route, not as a filter", "request_id"},
    {"prefix_rewrite", "write rewrite: { prefix: … }", "rewrite"},
    {"threshold", "write failure_ratio: 50% and min_requests: 20", "failure_ratio"},
    {"error_threshold", "write failure_ratio: 50% and min_requests: 20", "failure_ratio"},
    {"limit_req", "write filters: [{ rate_limit: { rate: 10/second, burst: 20 } }]"},
    {"limit_conn", "write limits: { connections_per_client: 20 }"},
    {"rateLimit", "write filters: [{ rate_limit: { rate: 10/second, burst: 20 } }]"},
    {"proxy_cache", "write filters: [{ cache: {} }]"},
    {"client_max_body_size", "write limits: { body: 10MiB }, or max_body in a route"},
    {"proxy_next_upstream", "write filters: [{ retry: { attempts: 3 } }]"},
    {"set_real_ip_from", "write forwarded: { trusted_proxies: [10.0.0.0/8] }"},
    {"real_ip_header", "write forwarded: { trusted_proxies: [10.0.0.0/8] }"},
    // Times and numbers of connections.
    {"maxconn", "write max_connections for an endpoint, or limits: { connections: … } for clients"},
    {"max_conns", "write max_connections", "max_connections"},
    {"keepalive", "write max_idle", "max_idle"},
    {"max_fails", "write outlier_detection in the upstream"},
    {"fail_timeout", "write outlier_detection in the upstream"},
    {"read", "write response, for the response's head, and between_bytes", "between_bytes"},
    {"send", "write between_bytes", "between_bytes"},
    {"read", "write head and body", "head"},
    {"send", "write write", "write"},
    {"cert", "write certificates: [{ cert: …, key: … }]", "certificates"},
    {"key", "write certificates: [{ cert: …, key: … }]", "certificates"},
    {"timeout", "write timeouts: { connect: …, response: … }", "timeouts"},
    {"proxy_connect_timeout", "write timeouts: { connect: … } in the upstream"},
    {"proxy_read_timeout", "write timeouts: { response: …, between_bytes: … } in the upstream"},
    {"proxy_send_timeout", "write timeouts: { between_bytes: … } in the upstream"},
    {"healthcheck", "write health_check", "health_check"},
    {"health_checks", "write health_check", "health_check"},
    {"option", "Weir has a setting for each option: see config/REFERENCE.md"},
};

struct Variable {
  std::string_view name;
  std::string_view hint;
};

constexpr std::string_view kPath = "{path} is the path, and {path_and_query} in redirect.to also has the query";
constexpr std::string_view kQuery = "{query} is the query in redirect.to, {query.NAME} one parameter elsewhere";
constexpr std::string_view kClient = "write {client.ip}";
constexpr std::string_view kHost = "write {host}";
constexpr std::string_view kTold = "leave this out: Weir sends X-Forwarded-For, -Proto, -Host, -Port and X-Real-IP";
constexpr std::string_view kUpgrade = "leave this out: WebSockets pass without settings";

// Of nginx. A name that ends with '_' stands for all that begin so.
constexpr Variable kVariables[] = {
    {"host", kHost},
    {"http_host", kHost},
    {"server_name", kHost},
    {"remote_addr", kClient},
    {"binary_remote_addr", kClient},
    {"realip_remote_addr", kClient},
    {"request_uri", kPath},
    {"uri", kPath},
    {"document_uri", kPath},
    {"args", kQuery},
    {"query_string", kQuery},
    {"is_args", kQuery},
    {"scheme", "write {scheme} in redirect.to; upstreams get X-Forwarded-Proto"},
    {"server_port", "leave this out: Weir sends X-Forwarded-Port"},
    {"request_method", "write {method}"},
    {"request_id", "write the filter request_id, then {header.x-request-id}"},
    {"proxy_add_x_forwarded_for", kTold},
    {"http_x_forwarded_for", kTold},
    {"http_x_forwarded_proto", kTold},
    {"http_upgrade", kUpgrade},
    {"connection_upgrade", kUpgrade},
    {"ssl_server_name", "write {tls.sni}"},
    {"ssl_protocol", "write {tls.version}"},
    {"ssl_client_s_dn", "write {tls.client.subject}"},
    {"proxy_host", "write host: endpoint in the upstream"},
    {"status", "write {status} in access_log.format"},
    {"time_local", "write {time} in access_log.format"},
    {"ssl_", ""},
    {"upstream_", ""},
    {"server_", ""},
    {"remote_", ""},
    {"request", ""},
    {"request_", ""},
    {"proxy_", ""},
    {"body_bytes_sent", ""},
    {"bytes_sent", ""},
    {"geoip", ""},
    {"time_", ""},
    {"sent_http_", ""},
    {"msec", ""},
    {"hostname", ""},
    {"pid", ""},
};

constexpr std::string_view kGeneral = "keys stand in braces: {client.ip}, {host}, {path}, {header.NAME}, {cookie.NAME}";
constexpr std::string_view kGroup = R"(\1 is the first group of the expression, in rewrite.to alone)";

bool is_word_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

std::string dashed(std::string_view name) {
  std::string out(name);
  std::ranges::replace(out, '_', '-');
  return out;
}

/// The hint for nginx's `$name`, "" for a name that nginx does not have.
std::string variable_hint(std::string_view name) {
  if (is_group_number(name)) return std::string(kGroup);
  for (const auto& known : kVariables) {
    const bool is_it = known.name == name || (known.name.ends_with('_') && name.starts_with(known.name));
    if (is_it) return std::string(known.hint.empty() ? kGeneral : known.hint);
  }
  const auto after = [&](std::string_view prefix) { return name.substr(prefix.size()); };
  if (name.starts_with("http_") && name.size() > 5) return "write {header." + dashed(after("http_")) + "}";
  if (name.starts_with("cookie_") && name.size() > 7) return "write {cookie." + std::string(after("cookie_")) + "}";
  if (name.starts_with("arg_") && name.size() > 4) return "write {query." + std::string(after("arg_")) + "}";
  return {};
}

std::string dollar_hint(std::string_view text) {
  const bool is_in_braces = text.starts_with('{');
  if (is_in_braces) return {};  // the environment
  const auto end = std::ranges::find_if_not(text, is_word_byte);
  const auto name = text.substr(0, static_cast<size_t>(end - text.begin()));
  const auto after = text.substr(name.size());
  const bool is_price =
      is_group_number(name) && after.size() > 1 && after[0] == '.' && is_group_number(after.substr(1, 1));
  auto hint = is_price ? std::string() : variable_hint(name);
  return hint.empty() ? hint : "'$" + std::string(name) + "' is not replaced; " + std::move(hint);
}

/// HAProxy's `%[src]` and Envoy's `%REQ(x)%`.
std::string percent_hint(std::string_view text) {
  if (text.starts_with("[")) {
    const auto inner = text.substr(1, std::min(text.find(']'), text.size()) - 1);
    const auto hint = inner == "src"                ? kClient
                      : inner == "path"             ? kPath
                      : inner.starts_with("method") ? "write {method}"
                      : inner.contains("hdr(")      ? "write {header.NAME}"
                                                    : kGeneral;
    return "'%[" + std::string(inner) + "]' is not replaced; " + std::string(hint);
  }
  if (text.starts_with("REQ(")) return "'%REQ(…)%' is not replaced; write {header.NAME}";
  if (text.starts_with("DOWNSTREAM_")) return "'%DOWNSTREAM_…%' is not replaced; write {client.ip}";
  return {};
}

/// Caddy's `{http.request.host}`, `{remote_host}` and `{1}`.
std::string brace_hint(std::string_view text) {
  const auto name = text.substr(0, std::min(text.find('}'), text.size()));
  const auto told = [&](std::string_view hint) {
    return "'{" + std::string(name) + "}' is not known; " + std::string(hint);
  };
  if (is_group_number(name) || name.starts_with("re.") || name.starts_with("http.regexp")) return told(kGroup);
  if (name == "remote_host" || name == "remote" || name == "http.request.remote.host") return told(kClient);
  if (name == "uri" || name == "http.request.uri" || name == "http.request.uri.path") return told(kPath);
  if (name == "http.request.host" || name == "hostport") return told(kHost);
  if (name.starts_with("http.") || name.starts_with("$")) return told(kGeneral);
  return {};
}

}  // namespace

bool is_group_number(std::string_view name) {
  return !name.empty() && name.size() <= 2 && std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; });
}

std::string foreign_word(std::string_view word, const std::vector<std::string>& known) {
  const auto fits = [&](const Word& entry) {
    return entry.foreign == word && (entry.needs.empty() || std::ranges::find(known, entry.needs) != known.end());
  };
  const auto* const found = std::ranges::find_if(kWords, fits);
  return found == std::end(kWords) ? "" : std::string(found->hint) + "; ";
}

std::string foreign_variable(std::string_view text) {
  while (!text.empty()) {
    const auto at = text.find_first_of("$%{");
    if (at == std::string_view::npos) break;
    const auto rest = text.substr(at + 1);
    const bool is_doubled = rest.starts_with(text[at]);
    const auto hint = is_doubled        ? std::string()
                      : text[at] == '$' ? dollar_hint(rest)
                      : text[at] == '%' ? percent_hint(rest)
                                        : brace_hint(rest);
    if (!hint.empty()) return hint;
    // A variable of the environment is skipped whole: its default may have any text.
    const bool is_environment = text[at] == '$' && rest.starts_with('{');
    const auto end = is_environment ? rest.find('}') : std::string_view::npos;
    text = end == std::string_view::npos ? rest.substr(is_doubled ? 1 : 0) : rest.substr(end + 1);
  }
  return {};
}

}  // namespace weir::config
