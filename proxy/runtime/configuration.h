#pragma once

#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "admin/guard.h"
#include "config/loader.h"
#include "config/reader.h"
#include "downstream/policy.h"
#include "downstream/tls_listener.h"
#include "exchange/filter_context.h"
#include "net/socket_file.h"
#include "observe/access_log.h"
#include "observe/process_log.h"
#include "routing/config.h"
#include "runtime/store_settings.h"
#include "runtime/watchdog_settings.h"
#include "upstream/config.h"

namespace weir::runtime {

struct ListenerSettings {
  config::Located<std::string> bind;  // "0.0.0.0:8080", "[::]:8080", "unix:/run/weir.sock"
  std::string name;                   // left out: the address
  std::optional<downstream::ProxyProtocol> proxy_protocol;
  net::Address address;
  net::SocketAccess access;  // of a unix socket
  std::optional<downstream::TlsSettings> tls;
};

struct AdminSettings {
  config::Located<std::string> bind;
  config::Located<std::string> metrics_bind;  // "" = metrics have no address of their own
  config::Located<std::string> token_file;    // "" = no token is asked for
  admin::Access allowed;                      // all but the token
  net::Address address;
  net::Address metrics_address;
  net::SocketAccess access{.mode = 0600};
};
/// The token of `token_file`, a path relative to `folder`, or what is wrong with it. "" when none is set.
std::expected<std::string, std::string> read_token(const AdminSettings& settings, const std::string& folder);
std::expected<std::string, std::string> read_token(const std::string& path);

struct ShutdownSettings {
  Duration delay{};                                   // between readiness turning 503 and the listeners closing
  Duration drain_timeout = std::chrono::seconds(30);  // for what is in flight
};

struct MemorySettings {
  Bytes keep{4 << 20};  // of free blocks, by each worker
};

/// The whole file: only names of blocks, each of which its own room decodes.
struct Configuration {
  std::optional<uint32_t> workers;  // none: one for each core that this process may use
  std::vector<ListenerSettings> listeners;
  std::optional<AdminSettings> admin;
  observe::AccessLogSettings access_log;
  observe::ProcessLogSettings process_log;
  std::vector<config::Named<upstream::UpstreamSettings>> upstreams;
  std::vector<config::Tagged<FilterFactory>> filters;
  std::vector<routing::RouteSettings> routes;
  downstream::Policy policy;
  upstream::ResolverSettings resolver;
  StoreSettings store;
  MemorySettings memory;
  ShutdownSettings shutdown;
  Duration stream_grace = std::chrono::minutes(5);
  WatchdogSettings watchdog;
  config::Located<std::string> user;
  config::Located<std::string> group;

  unsigned worker_count() const;
};

void decode(config::Reader& r, ListenerSettings& out);
void decode(config::Reader& r, AdminSettings& out);
void decode(config::Reader& r, MemorySettings& out);
void decode(config::Reader& r, ShutdownSettings& out);
void decode(config::Reader& r, Configuration& out);

/// The filters and whatever else rooms hand to each other's readers.
const config::Tables& tables();

/// A configuration that was read, and what it amounts to.
struct Loaded {
  Configuration configuration;
  config::Value effective;  // defaults filled in, secrets masked
  std::string folder;       // of the file: where those that it names are looked for
};
/// Reads and checks all that can be checked without building anything. What is wrong is in `problems`.
Loaded load(const std::string& path, config::Problems& problems);

}  // namespace weir::runtime
