#include "routing/config.h"

#include <algorithm>

#include "http/syntax.h"
#include "http/target.h"

namespace weir {

static auto choices(Expect*) {
  return std::array{config::Choice<Expect>{"answer", Expect::answer},
                    config::Choice<Expect>{"forward", Expect::forward}};
}

}  // namespace weir

namespace weir::routing {

namespace {

using config::Reader;

constexpr uint32_t kHeaviest = 1000;

void check_methods(Reader& r, const std::vector<std::string>& methods) {
  for (const auto& method : methods) {
    if (method == "*" || method == "ANY" || method == "ALL") {
      r.problem_at("methods", "'" + method + "' is not a method", "leave methods out: the route takes any method");
    } else if (method.contains('|') || !http::is_token(method)) {
      r.problem_at("methods", "'" + method + "' is not a method", "write a list, as requests have them: [GET, POST]");
    } else if (std::ranges::all_of(method, [](char c) { return c >= 'a' && c <= 'z'; })) {
      r.problem_at("methods", "'" + method + "' matches no usual request: methods have a case",
                   "write them in capitals: GET, POST");
    }
  }
}

void check_field_names(Reader& r, const std::vector<config::Named<FieldPattern>>& fields) {
  for (const auto& field : fields) {
    if (!http::is_token(field.name)) r.problems().add(field.at, "'" + field.name + "' is not a field name");
  }
}

// Fields that say how the message is framed are the codec's own.
bool is_framing(std::string_view name) {
  return equals_ignoring_case(name, "content-length") || equals_ignoring_case(name, "transfer-encoding") ||
         equals_ignoring_case(name, "connection") || equals_ignoring_case(name, "trailer") ||
         equals_ignoring_case(name, "upgrade");
}

bool is_field_value(std::string_view value) {
  return std::ranges::all_of(value, http::is_field_byte) && trim(value).size() == value.size();
}

/// Other texts with keys make one expect them in a body, too.
void warn_of_keys(Reader& r, const std::string& body) {
  for (const std::string_view key : {"{host}", "{path}", "{path_and_query}", "{query}", "{client.ip}", "{method}"}) {
    if (!body.contains(key)) continue;
    return r.problems().warn(r.location_of("body"),
                             "'" + std::string(key) + "' is not replaced: the body is sent as it is",
                             "only the body of a fallback's respond has keys");
  }
}

void check_response_fields(Reader& r, const RespondSettings& respond) {
  if (!is_field_value(respond.content_type)) r.problem_at("content_type", "is not the value of a field");
  for (const auto& field : respond.headers) {
    if (!http::is_token(field.name)) {
      r.problems().add(field.at, "'" + field.name + "' is not a field name");
    } else if (is_framing(field.name)) {
      r.problems().add(field.at, "'" + field.name + "' is not for settings", "Weir frames its responses itself");
    } else if (!is_field_value(field.value)) {
      r.problems().add(field.at, "the value of '" + field.name + "' has bytes that no field has");
    }
  }
}

void check_captures(Reader& r, const Regex& regex, std::string_view to) {
  for (size_t i = 0; i + 1 < to.size(); ++i) {
    if (to[i] != '\\' || to[++i] == '\\') continue;
    const bool is_group = http::is_digit(to[i]) && static_cast<size_t>(to[i] - '0') <= regex.groups();
    if (is_group) continue;
    r.problem_at(
        "to", std::string("'\\") + to[i] + "' stands for nothing",
        "the expression has " + std::to_string(regex.groups()) + " groups: \\1 is the first, \\0 the whole path");
  }
}

bool is_path_byte(char c) { return c > ' ' && c < '\x7f' && c != '?' && c != '#' && c != '{' && c != '}'; }

/// Whether a group always begins right behind a '/', as in '/old/(.*)'.
bool follows_slash(std::string_view pattern, char group) {
  size_t at = 0;
  for (char number = '0'; at < pattern.size(); ++at) {
    if (pattern[at] == '\\') ++at;
    else if (pattern[at] == '[' || pattern[at] == '|') return false;
    else if (pattern[at] == '(' && !pattern.substr(at).starts_with("(?:") && ++number == group) break;
  }
  const auto inside = pattern.substr(std::min(at + 1, pattern.size()));
  return at > 0 && at < pattern.size() && pattern[at - 1] == '/' && !inside.starts_with('/') &&
         !inside.starts_with("(");
}

/// `to` has to make a path: it begins with '/', or with a group that may.
void check_replacement(Reader& r, const RewriteSettings& rewrite) {
  const auto regex = Regex::compile(*rewrite.regex);
  if (!regex) return;
  const std::string_view to = *rewrite.to;
  if (to.starts_with("http://") || to.starts_with("https://")) {
    return r.problem_at("to", "'" + std::string(to) + "' is not a path", "an address goes into redirect: { to: … }");
  }
  const bool begins_with_group = to.size() > 1 && to[0] == '\\' && http::is_digit(to[1]);
  const bool is_after_slash = begins_with_group && to[1] != '0' && follows_slash(*rewrite.regex, to[1]);
  if (!to.starts_with('/') && (!begins_with_group || is_after_slash)) {
    return r.problem_at("to", "'" + std::string(to) + "' makes no path",
                        "a path begins with '/': write '/" + std::string(to) + "'");
  }
  if (!std::ranges::all_of(to, [](char c) { return c == '?' || is_path_byte(c); })) {
    return r.problem_at("to", "'" + std::string(to) + "' has bytes that no path has", "percent-encode them: %20, %23");
  }
  check_captures(r, *regex, to);
}

void check_rewrite(Reader& r, const RouteSettings& route) {
  if (!route.rewrite) return;
  if (route.redirect || route.respond) {
    r.problem_at("rewrite", "nothing is sent on from here", "rewrite goes with upstream or split");
  }
  if (route.rewrite->prefix && route.match.path.kind == PathPattern::Kind::regex) {
    r.problem_at("rewrite", "no prefix was matched: match.path is a regular expression",
                 "write rewrite: { regex: …, to: … }");
  }
}

}  // namespace

void decode(Reader& r, MatchSettings& out) {
  out.at = r.location();
  out.path_at = r.location_of("path");
  r.optional("host", out.hosts, "hosts, one or a list: api.example.com, *.example.com, { regex: … }", config::non_empty,
             config::list_of_one);
  r.optional("path", out.path, "a prefix, { exact: … } or { regex: … }");
  r.optional("methods", out.methods, "any of these methods", config::non_empty, config::list_of_one);
  r.optional("headers", out.headers, "all of these fields, by name: a value, { regex: … } or { present: true|false }",
             config::non_empty, config::field_values);
  r.optional("query", out.query, "all of these parameters, by name, like headers", config::non_empty,
             config::field_values);
  r.optional("listener", out.listeners, "requests that came by any of these listeners", config::non_empty,
             config::list_of_one);
  check_methods(r, out.methods);
  check_field_names(r, out.headers);
}

void decode(Reader& r, RewriteSettings& out) {
  r.at_most_one_of({"prefix", "regex"});
  r.optional("prefix", out.prefix, "in place of the prefix that was matched", config::no_variables);
  r.optional("regex", out.regex, "an RE2 expression for the whole path", config::non_empty);
  r.optional("to", out.to, "with regex: the new path, \\1 for the first group; a query may follow", config::non_empty,
             config::no_variables);
  r.optional("host", out.host, "the Host that the upstream is told",
             config::without_keys("leave it out: the client's Host goes on; or write a name"));
  if (out.prefix && !out.prefix->starts_with('/'))
    r.problem_at("prefix", "'" + *out.prefix + "' is not a path", "a path begins with '/'");
  else if (out.prefix && !std::ranges::all_of(*out.prefix, is_path_byte))
    r.problem_at("prefix", "'" + *out.prefix + "' has bytes that no path has",
                 "percent-encode them: %20; a query goes into rewrite: { regex: …, to: '/path?query' }");
  if (out.regex) check_path_regex(r, "regex", *out.regex);
  if (r.has("regex") != r.has("to")) r.problem("'regex' and 'to' go together");
  if (out.regex && out.to) check_replacement(r, out);
  if (out.host && !http::is_valid_authority(*out.host)) r.problem_at("host", "'" + *out.host + "' is not a host");
}

void decode(Reader& r, RedirectSettings& out) {
  r.shorthand("to");
  std::string to;
  r.required("to", to, "the new place, with {scheme} {host} {path} {query} {path_and_query}; or just https",
             config::non_empty, config::no_variables);
  const bool is_https = to == "https";
  if (is_https) {
    to = "https://{host}{path_and_query}";
    out.status = 308;
  }
  r.optional("status", out.status, "301, 302, 303, 307 or 308");
  constexpr uint16_t kStatuses[] = {301, 302, 303, 307, 308};
  if (std::ranges::count(kStatuses, out.status) == 0) {
    r.problem_at("status", "'" + std::to_string(out.status) + "' redirects nobody", "write 301, 302, 303, 307 or 308");
  }
  if (to.empty()) return;
  auto parsed = Template::parse(to);
  if (!parsed) return r.problem_at("to", parsed.error().message, parsed.error().hint);
  out.to = std::move(*parsed);
}

void decode(Reader& r, RespondSettings& out) {
  r.shorthand("status");
  r.optional("status", out.status, "the status", config::in_range(200.0, 599.0));
  r.optional("body", out.body, "the content, as it is");
  r.optional("content_type", out.content_type, "what the body is");
  r.optional("headers", out.headers, "more fields, by name", config::field_values, config::no_variables);
  const bool has_no_content = out.status == 204 || out.status == 304;
  if (has_no_content && !out.body.empty()) {
    r.problem_at("body", "a response " + std::to_string(out.status) + " has no body");
  }
  warn_of_keys(r, out.body);
  check_response_fields(r, out);
}

void decode(Reader& r, RouteSettings& out) {
  out.name.at = r.location();
  r.exactly_one_of({"upstream", "split", "redirect", "respond"});
  r.optional("name", out.name, "in logs, metrics and explain; route-N without", config::non_empty, config::names);
  r.optional("match", out.match, "which requests; left out: all");
  r.optional("filters", out.filters, "after the global ones, in this order, outermost first");
  r.optional("rewrite", out.rewrite, "what the upstream sees of path and host");
  r.optional("timeout", out.timeout, "of the whole exchange; 0: none", config::at_least(Duration::zero()));
  r.optional("max_body", out.max_body, "the largest request body; more is refused with 413; 0 = no bound");
  r.optional("request_body", out.request_body, "how request bodies go on: stream or buffer");
  r.optional("early_data", out.early_data,
             "whether GET, HEAD and OPTIONS that come in TLS early data, and so may be replays, are served, else 425");
  r.optional(
      "grpc", out.grpc,
      "whether each request of gRPC's content type may be silent for as long as a call may; left out: those that "
      "came over HTTP/2, at endpoints that speak HTTP/2, and the client's pace counts until the answer");
  r.optional("expect", out.expect,
             "who answers Expect: 100-continue: Weir, when the body is first read, or the endpoint, which may refuse "
             "before a byte of the body is sent");
  r.optional("upstream", out.upstream, "where the requests go");
  r.optional("split", out.split, "shares for several upstreams: { api: 90, canary: 10 } or { weights: …, key: … }");
  r.optional("redirect", out.redirect, "sends the client elsewhere");
  r.optional("respond", out.respond, "answers by itself");
  check_rewrite(r, out);
  if (out.grpc && out.request_body.mode == RequestBodySettings::Mode::buffer) {
    r.problem_at("request_body", "a call's request may last as long as the call: it can't be waited for",
                 "leave request_body or grpc out");
  }
}

}  // namespace weir::routing

namespace weir::config {

void Type<routing::SplitSettings>::read(Reader& r, routing::SplitSettings& out) {
  using Weights = Type<std::vector<Named<uint32_t>>>;
  if (r.is_describing()) return r.describe(Shape::Kind::any);  // two forms in one place
  if (r.has("weights")) {
    if (!r.begin_block()) return;
    r.required("weights", out.weights, "shares by upstream", non_empty);
    r.optional("key", out.key, "the same value goes to the same upstream: cookie.sid, client.ip");
    r.end_block();
  } else {
    Weights::read(r, out.weights);
  }
  uint64_t total = 0;
  for (const auto& weight : out.weights) {
    total += weight.value;
    if (weight.value > routing::kHeaviest) {
      r.problems().add(weight.at, "'" + std::to_string(weight.value) + "' is too large", "a share is 0 to 1000");
    }
  }
  if (total == 0 && !r.failed()) r.problem("all shares are 0", "write { api: 90, canary: 10 }");
}

}  // namespace weir::config
