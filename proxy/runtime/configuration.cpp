#include "runtime/configuration.h"

#include <fmt/core.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <unordered_set>

#include "base/hash.h"
#include "base/read_file.h"
#include "base/text.h"
#include "config/suggest.h"
#include "http/syntax.h"
#include "plugins/registry.h"

namespace weir::runtime {

namespace {

constexpr std::string_view kBindHint =
    "write an IP address and a port, or a path: 0.0.0.0:8080, [::]:8080, unix:/run/weir.sock";

/// Of the setting `key`; nothing when it was left out.
net::Address parse_bind(config::Reader& r, std::string_view key, const config::Located<std::string>& bind) {
  if (r.is_describing() || bind->empty()) return {};
  const auto address = net::Address::parse(*bind);
  if (address) return *address;
  const std::string port = bind->substr(std::min(bind->rfind(':'), bind->size()));
  const bool is_any = *bind == port || *bind == "*" + port;
  const bool is_local = *bind == "localhost" + port;
  r.problem_at(key, "'" + *bind + "' is not an address to listen on",
               port.empty() || !(is_any || is_local) ? std::string(kBindHint)
                                                     : "write " + std::string(is_any ? "0.0.0.0" : "127.0.0.1") + port);
  return {};
}

net::Address read_bind(config::Reader& r, config::Located<std::string>& bind, std::string_view about) {
  r.required("bind", bind, about);
  return parse_bind(r, "bind", bind);
}

std::optional<mode_t> parse_mode(std::string_view text) {
  const auto is_octal = [](char c) { return c >= '0' && c <= '7'; };
  if (text.size() < 3 || text.size() > 4 || !std::ranges::all_of(text, is_octal)) return std::nullopt;
  mode_t mode = 0;
  for (const char c : text) mode = mode * 8 + static_cast<mode_t>(c - '0');
  return mode <= 0777 ? std::optional(mode) : std::nullopt;
}

std::optional<uid_t> find_user(const std::string& name) {
  if (const auto number = parse_decimal(name); number && *number < UINT32_MAX) return static_cast<uid_t>(*number);
  const passwd* entry = ::getpwnam(name.c_str());
  return entry ? std::optional(entry->pw_uid) : std::nullopt;
}

std::optional<gid_t> find_group(const std::string& name) {
  if (const auto number = parse_decimal(name); number && *number < UINT32_MAX) return static_cast<gid_t>(*number);
  const ::group* entry = ::getgrnam(name.c_str());
  return entry ? std::optional(entry->gr_gid) : std::nullopt;
}

/// `mode`, `owner` and `group` of a unix socket's file.
void read_access(config::Reader& r, const net::Address& address, net::SocketAccess& out) {
  std::optional<std::string> mode, owner, group;
  r.optional("mode", mode, "of a unix socket's file, octal: clients need the right to write");
  r.optional("owner", owner, "of a unix socket's file: a user's name or number; left out: Weir's own at the start");
  r.optional("group", group, "of a unix socket's file");
  if (r.is_describing()) return;
  const bool has_file = address.is_unix() && !address.text().starts_with("unix:@");
  for (const auto& [key, value] : {std::pair("mode", &mode), std::pair("owner", &owner), std::pair("group", &group)}) {
    if (*value && !has_file && address.size() > 0)
      return r.problem_at(key, std::string("only the file of a unix socket has a") + (*key == 'o' ? "n " : " ") + key,
                          "bind: unix:/run/weir.sock");
  }
  if (mode) {
    if (const auto parsed = parse_mode(*mode)) {
      out.mode = *parsed;
    } else {
      r.problem_at("mode", "'" + *mode + "' is not a mode", "write three or four octal digits: \"0660\"");
    }
  }
  if (owner && !(out.owner = find_user(*owner)))
    r.problem_at("owner", "there is no user '" + *owner + "' on this machine");
  if (group && !(out.group = find_group(*group)))
    r.problem_at("group", "there is no group '" + *group + "' on this machine");
}

/// Routes for methods that are answered with 501 before any route is looked for.
void check_methods(const Configuration& configuration, config::Problems& problems) {
  static const std::vector<std::string> kUsual{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"};
  BlockPool pool(8192);
  Arena arena(pool);
  for (const auto& route : configuration.routes) {
    for (const auto& method : route.match.methods) {
      http::RequestHead head(arena);
      head.method_name = method;
      head.method = http::method_of(method);
      head.more_methods = &configuration.policy.methods.allow;
      const bool is_told = method.contains('|') || !http::is_token(method) ||
                           std::ranges::none_of(method, [](char c) { return c >= 'A' && c <= 'Z'; });
      if (is_told || http::takes_method(head)) continue;
      problems.add(route.match.at, "requests with the method '" + method + "' are answered with 501",
                   config::did_you_mean(method, kUsual) + "methods: { allow: [" + method + "] } lets them in");
    }
  }
}

/// What CDN-Loop calls this Weir when nothing is set: another name on each host and address, so that two in a row
/// aren't taken for a loop; the same one after a reload, a restart and a take-over.
std::string pseudonym_of(const std::vector<ListenerSettings>& listeners) {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  const auto address = listeners.empty() ? std::string() : listeners.front().address.text();
  return fmt::format("weir-{:08x}", static_cast<uint32_t>(hash(host.data() + (' ' + address))));
}

void check_names(config::Reader& r, const Configuration& out) {
  std::unordered_set<std::string> names, addresses;
  const auto admin = out.admin && out.admin->address.size() > 0 ? out.admin->address.text() : std::string();
  const bool has_metrics = out.admin && out.admin->metrics_address.size() > 0;
  const auto metrics = has_metrics ? out.admin->metrics_address.text() : std::string();
  if (has_metrics && metrics == admin)
    r.problems().add(out.admin->metrics_bind.at, "the admin API has this address", "it serves the metrics, too");
  for (const auto& listener : out.listeners) {
    const bool has_address = listener.address.size() > 0;
    const auto address = has_address ? listener.address.text() : std::string();
    const bool is_new = names.insert(listener.name).second;
    if (has_address && !addresses.insert(address).second) {
      r.problems().add(listener.bind.at, "another listener has this address",
                       "one listener serves all routes; give each its own port");
    } else if (!is_new) {
      r.problems().add(listener.bind.at, "another listener has the name '" + listener.name + "'");
    }
    if (has_address && address == admin)
      r.problems().add(out.admin->bind.at, "a listener has this address", "keep the admin API on a port of its own");
    if (has_metrics && address == metrics)
      r.problems().add(out.admin->metrics_bind.at, "a listener has this address",
                       "keep metrics on a port of their own");
  }
}

}  // namespace

unsigned Configuration::worker_count() const {
  if (workers) return *workers;
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  if (::sched_getaffinity(0, sizeof cpus, &cpus) != 0) return 1;
  return std::max(1, CPU_COUNT(&cpus));
}

void decode(config::Reader& r, ListenerSettings& out) {
  r.shorthand("bind");
  out.address = read_bind(r, out.bind, "address and port, [v6]:port, or unix:/path");
  out.name = *out.bind;
  r.optional("name", out.name, "what routes, metrics and the log call it; the address when left out", config::non_empty,
             config::names);
  r.optional("proxy_protocol", out.proxy_protocol,
             "connections begin with a PROXY header, version 1 or 2, which tells the client's address");
  r.optional("tls", out.tls, "left out: clients come in the clear");
  read_access(r, out.address, out.access);
}

void decode(config::Reader& r, AdminSettings& out) {
  r.shorthand("bind");
  out.address = read_bind(r, out.bind, "where the admin API listens; keep it private");
  r.optional("metrics_bind", out.metrics_bind, "a second address, which serves /metrics alone and asks for no token");
  out.metrics_address = parse_bind(r, "metrics_bind", out.metrics_bind);
  std::vector<config::Located<std::string>> hosts;
  r.optional("hosts", hosts, "names that Host may have, beside localhost and IP addresses", config::list_of_one,
             config::non_empty);
  r.optional("token_file", out.token_file,
             "a file with the token that requests prove themselves with, as Authorization: Bearer; /livez and /readyz "
             "need none");
  auto mode = out.allowed.allows == admin::Access::Allows::reading;
  r.optional("read_only", mode, "true: GET and HEAD alone are answered");
  out.allowed.allows = mode ? admin::Access::Allows::reading : admin::Access::Allows::everything;
  read_access(r, out.address, out.access);
  for (const auto& host : hosts) {
    if (host->empty() || host->find_first_of("/:@*[] ") != std::string::npos)
      r.problems().add(host.at, "'" + *host + "' is not a host's name",
                       "write it without scheme and port: ops.example");
    out.allowed.hosts.push_back(*host);
  }
}

std::expected<std::string, std::string> read_token(const std::string& path) {
  constexpr size_t kLongest = 4096;
  const auto text = read_file(path, kLongest + 1);
  if (!text) return std::unexpected("cannot be read: " + text.error());
  const auto first = text->find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return std::unexpected("has no token");
  auto token = text->substr(first, text->find_last_not_of(" \t\r\n") - first + 1);
  const auto is_visible = [](char c) { return c > ' ' && c < 0x7f; };
  if (token.size() > kLongest || !std::ranges::all_of(token, is_visible))
    return std::unexpected("is not one token of up to 4096 visible ASCII characters");
  return token;
}

std::expected<std::string, std::string> read_token(const AdminSettings& settings, const std::string& folder) {
  if (settings.token_file->empty()) return "";
  return read_token((std::filesystem::path(folder) / *settings.token_file).string());
}

void decode(config::Reader& r, MemorySettings& out) {
  r.optional("keep", out.keep,
             "what each worker keeps of its free blocks; the rest goes back to the system within 10 s");
}

void decode(config::Reader& r, ShutdownSettings& out) {
  r.optional("delay", out.delay, "after SIGTERM, how long to go on as before while /readyz says 503");
  r.optional("drain_timeout", out.drain_timeout, "how long requests in flight may take to finish");
}

void decode(config::Reader& r, Configuration& out) {
  r.optional("workers", out.workers, "threads that serve; auto = one for each core", config::or_word("auto"),
             config::in_range(1.0, 256.0));
  r.required("listeners", out.listeners, "where clients connect", config::non_empty);
  r.optional("admin", out.admin, "the admin API: metrics, health, upstreams");
  r.optional("access_log", out.access_log, "one line for each request");
  r.optional("log", out.process_log, "Weir's own events on stderr");
  r.optional("upstreams", out.upstreams, "named pools of backends", config::names);
  r.tagged_list("filters", out.filters, r.tags<FilterFactory>(),
                "filters of every route, before the route's own; the first is outermost");
  r.optional("routes", out.routes, "the first that matches wins");
  r.optional("limits", out.policy.limits, "what a client may ask for");
  r.optional("methods", out.policy.methods, "which methods a request may have");
  r.optional("timeouts", out.policy.timeouts, "how long to wait for a client");
  out.policy.forwarding.loop_id = r.is_describing() ? "" : pseudonym_of(out.listeners);
  r.optional("forwarded", out.policy.forwarding, "what upstreams are told about the client");
  r.optional("path", out.policy.path, "the normal form of paths");
  r.optional("resolver", out.resolver, "how endpoints given by name are looked up");
  r.optional("store", out.store, "what requests share: limits, idempotency records, jobs");
  r.optional("memory", out.memory, "what is kept for the next requests");
  r.optional("shutdown", out.shutdown, "how SIGTERM and SIGINT end the process");
  r.optional("stream_grace", out.stream_grace,
             "how long a connection may outlive the listener that a reload took away");
  r.optional("watchdog", out.watchdog, "what to do when a worker no longer finishes its work");
  r.optional("user", out.user, "drop to this user once the listeners are bound");
  r.optional("group", out.group, "drop to this group; the user's own when left out");
  if (r.is_describing()) return;
  check_names(r, out);
  check_methods(out, r.problems());
  for (auto& route : out.routes) {
    if (!route.max_body) {
      route.max_body = Bytes{out.policy.limits.body};
      route.max_body_by = "limits.body";
    }
    if (route.max_body->count == 0) route.max_body = Bytes{UINT64_MAX};
  }
}

const config::Tables& tables() {
  static const config::Tables tables = [] {
    config::Tables made;
    made.add(plugins::filters());
    made.add(plugins::gates());
    return made;
  }();
  return tables;
}

Loaded load(const std::string& path, config::Problems& problems) {
  Loaded loaded;
  loaded.folder = std::filesystem::path(path).parent_path().string();
  const auto document = config::load_file(path, problems);
  if (!document.root()) return loaded;
  loaded.configuration = config::decode_document<Configuration>(document, problems, tables(), &loaded.effective);
  routing::KnownNames known;
  for (const auto& upstream : loaded.configuration.upstreams) known.upstreams.add(upstream.name);
  for (const auto& listener : loaded.configuration.listeners) known.listeners.add(listener.name);
  routing::check_paths(loaded.configuration.routes, loaded.configuration.policy.path.match, problems);
  routing::resolve(loaded.configuration.routes, known, problems);
  if (problems.empty() && loaded.configuration.routes.empty())
    problems.warn({document.file(), 0, 0, 1, "routes"}, "there is no route: every request is answered with 404",
                  "write routes: [{ upstream: NAME }]");
  return loaded;
}

}  // namespace weir::runtime
