#include "runtime/started_event.h"

#include <fmt/chrono.h>
#include <sys/resource.h>
#include <ctime>

#include "base/log.h"
#include "runtime/version.h"

namespace weir::runtime {

namespace {

void add(std::string& list, std::string_view item) {
  if (!list.empty()) list += ',';
  list += item;
}

std::string addresses(const Configuration& configuration) {
  std::string list;
  for (const auto& listener : configuration.listeners) {
    add(list, listener.address.text());
    if (listener.tls) list += "(tls)";
  }
  return list;
}

std::string metrics_address(const Configuration& configuration) {
  const bool has_own = configuration.admin && configuration.admin->metrics_address.size() > 0;
  return has_own ? configuration.admin->metrics_address.text() : "off";
}

std::string certificates(const Snapshot& snapshot) {
  std::string list;
  for (size_t i = 0; i < snapshot.labels().listeners.size(); ++i) {
    if (!snapshot.tls(i)) continue;
    for (const auto& expiry : snapshot.tls(i)->expiries)
      add(list, fmt::format("{}(until {:%F})", expiry.certificate,
                            fmt::gmtime(static_cast<std::time_t>(expiry.at.time_since_epoch().count()))));
  }
  return list;
}

/// A limit of 0, or of all that its type holds, is none.
std::string limit(uint64_t value) { return value == 0 || value == UINT64_MAX ? "none" : std::to_string(value); }

/// RLIMIT_NOFILE.
uint64_t open_files() {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  return files.rlim_cur;
}

}  // namespace

void log_started(const Snapshot& snapshot, const std::string& file, size_t workers) {
  const auto& configuration = snapshot.configuration();
  const auto& limits = configuration.policy.limits;
  log::info("started", {{"version", kVersion},
                        {"file", file},
                        {"workers", workers},
                        {"listeners", addresses(configuration)},
                        {"admin", configuration.admin ? configuration.admin->address.text() : "off"},
                        {"metrics", metrics_address(configuration)},
                        {"certificates", certificates(snapshot)},
                        {"routes", configuration.routes.size()},
                        {"upstreams", configuration.upstreams.size()},
                        {"open_files", limit(open_files())},
                        {"connections", limit(limits.connections)},
                        {"connections_per_client", limit(limits.connections_per_client)},
                        {"head", format(Bytes{limits.head.head_bytes})},
                        {"body", limit(limits.body)},
                        {"drain_timeout", format(configuration.shutdown.drain_timeout)}});
}

void warn_of_few_descriptors(const Configuration& configuration) {
  const auto connections = configuration.policy.limits.connections;
  const auto files = open_files();
  if (files >= connections) return;
  log::warn("few_descriptors",
            {{"open_files", files},
             {"connections", limit(connections)},
             {"hint", "raise RLIMIT_NOFILE (ulimit -n, LimitNOFILE=), or lower limits.connections"}});
}

}  // namespace weir::runtime
