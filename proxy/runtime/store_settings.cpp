#include "runtime/store_settings.h"

#include "exchange/store_failure.h"

namespace weir::runtime {

namespace {

constexpr uint16_t kSentinelPort = 26379;

void check_prefix(config::Reader& r, const std::string& prefix) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:._/-";
  if (prefix.find_first_not_of(kAllowed) != std::string::npos)
    r.problem_at("prefix", "a prefix has letters, digits and : . _ / - only", "write \"weir:\", \"prod/weir:\"");
}

void read_addresses(config::Reader& r, StoreSettings& out) {
  for (const auto& url : out.redis) {
    auto address = store::RedisAddress::parse(*url);
    if (!address) {
      r.problems().add(url.at, address.error().message, address.error().hint);
      continue;
    }
    if (address->password.empty()) {
      address->user = out.user;
      address->password = out.password;
    }
    if (address->database == 0) address->database = out.database;
    if (out.is_cluster && address->database != 0)
      r.problems().add(url.at, "a Redis Cluster has database 0 only", "leave the number out");
    if (out.is_cluster && !address->path.empty())
      r.problems().add(url.at, "the nodes of a Redis Cluster are found by TCP", "write redis://host:6379");
    out.addresses.push_back(*address);
  }
}

}  // namespace

void decode(config::Reader& r, SentinelSettings& out) {
  r.required("master", out.master, "the name by which the sentinels know it", config::non_empty);
  r.required("nodes", out.nodes, "the sentinels: host, or host and port; 26379 when left out", config::non_empty);
  r.optional("user", out.user, "of the sentinels' own login");
  r.optional("password", out.password, "of the sentinels' own login", config::secret);
  if (r.is_describing()) return;
  for (const auto& node : out.nodes) {
    auto address = store::RedisAddress::parse_node(*node, kSentinelPort);
    if (!address) {
      r.problems().add(node.at, address.error().message, "write 10.0.0.1:26379");
      continue;
    }
    address->user = out.user;
    address->password = out.password;
    out.addresses.push_back(*address);
  }
}

void decode(config::Reader& r, StoreSettings& out) {
  r.shorthand("redis", config::Shorthand::scalar_or_list);
  r.optional("redis", out.redis,
             "redis://[user:password@]host[:port][/database] or unix:/path[?db=n]; some nodes of a cluster. Left out: "
             "embedded, in this process",
             config::list_of_one, config::secret);
  r.optional("cluster", out.is_cluster, "it is a Redis Cluster: the other nodes are found by these");
  r.optional("sentinel", out.sentinel, "in place of `redis`: who knows where the master is");
  r.optional("user", out.user, "of addresses without one, and of the sentinels' master");
  r.optional("password", out.password, "of addresses without one, and of the sentinels' master", config::secret);
  r.optional("database", out.database, "of addresses without one, and of the sentinels' master",
             config::in_range(0.0, 65535.0));
  r.optional("prefix", out.prefix, "before every key; those who share a quota have the same");
  r.optional("timeout", out.timeout, "the longest that a request waits for it, each time",
             config::in_range(Duration(std::chrono::milliseconds(1)), Duration(std::chrono::seconds(60))));
  r.optional(
      "max_size", out.max_size,
      "what the limits that are kept in this process take at most, about 200 bytes for each client; past it, the "
      "quotas that were unused for longest begin anew, first those of a client network with very many keys of one "
      "limit",
      config::at_least(Bytes{1 << 20}));
  r.optional("on_failure", out.on_failure, "what filters do while it is gone, unless they say otherwise");
  r.at_most_one_of({"redis", "sentinel"});
  if (r.is_describing()) return;
  check_prefix(r, out.prefix);
  if (out.redis.size() > 1 && !out.is_cluster)
    r.problem_at("redis", "several servers are a cluster's, and this is none",
                 "write cluster: true, or name the sentinels under `sentinel`");
  if (out.is_cluster && out.redis.empty()) r.problem_at("cluster", "a cluster needs `redis`, some of its nodes");
  read_addresses(r, out);
}

store::RedisSettings StoreSettings::settings(net::ResolverSettings resolver) const {
  store::RedisSettings settings;
  settings.is_cluster = is_cluster;
  settings.prefix = prefix;
  settings.timeout = timeout;
  settings.resolver = std::move(resolver);
  settings.servers = sentinel ? sentinel->addresses : addresses;
  if (!sentinel) return settings;
  settings.sentinel_master = sentinel->master;
  settings.master_login.user = user;
  settings.master_login.password = password;
  settings.master_login.database = database;
  return settings;
}

}  // namespace weir::runtime
