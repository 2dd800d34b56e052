#include "upstream/name_watch.h"

#include <algorithm>
#include <unordered_set>

#include "async/sleep.h"
#include "base/log.h"

namespace weir::upstream {

namespace {

constexpr Duration kFirstPause = std::chrono::seconds(1);
constexpr Duration kLongestPause = std::chrono::seconds(30);

/// One address of a name. Of SRV records (RFC 2782) those of the best priority serve, the others are backups.
EndpointSpec spec_of(const EndpointSettings& settings, const net::Resolution::Record& record, uint16_t best_priority) {
  if (settings.type != net::RecordType::srv) return settings.at(record.address.with_port(settings.port()));
  EndpointSpec spec = settings.at(record.address);
  spec.weight = settings.weight * std::max<uint32_t>(1, record.weight);
  spec.is_backup = settings.is_backup || record.priority > best_priority;
  return spec;
}

}  // namespace

NameWatch::NameWatch(Loop& loop, net::Resolver& resolver, Upstream& upstream)
    : loop_(loop),
      resolver_(resolver),
      upstream_(upstream),
      failures_(upstream.state().health.metrics().counter(
          "dns_failures", "Lookups of endpoints' names that failed: the last good answer is kept",
          {{"upstream", upstream.name()}})),
      all_asked_(loop),
      group_(loop) {
  for (const auto& endpoint : upstream.settings().endpoints) {
    if (!endpoint.is_name()) continue;
    Name name{&endpoint, *endpoint.dns + "/" + std::to_string(static_cast<int>(endpoint.type)), {}};
    name.unresolved_since = loop.now();
    if (const auto known = upstream.state().last_answer(name.key)) {
      name.records = known->records;
      name.has_answer = true;
    }
    names_.push_back(std::move(name));
  }
  unasked_ = names_.size();
  if (std::ranges::all_of(names_, &Name::has_answer)) all_asked_.set();
  if (std::ranges::any_of(names_, &Name::has_answer)) publish();
  for (Name& name : names_) group_.spawn(follow(name));
}

Task<> NameWatch::ready(config::Problems& problems) {
  co_await all_asked_.wait();
  for (const Name& name : names_) {
    if (name.is_resolved() || name.settings->resolve != Resolve::required) continue;
    problems.add(name.settings->dns.at, "'" + *name.settings->dns + "' does not resolve: " + name.why_unresolved(),
                 "check the name and the servers of `resolver`, or leave out resolve: required");
  }
}

void NameWatch::warn(config::Problems& problems) const {
  for (const Name& name : names_) {
    if (name.is_resolved()) continue;
    const bool is_required = name.settings->resolve == Resolve::required;
    problems.warn(name.settings->dns.at, "'" + *name.settings->dns + "' does not resolve: " + name.why_unresolved(),
                  is_required ? "a start is refused until it does: resolve is required"
                              : "it is no endpoint until it does; resolve: required would refuse a start");
  }
}

std::string NameWatch::Name::why_unresolved() const {
  if (has_answer) return "its SRV record says that there is no such service";
  return error ? std::string(error->detail) : "not asked yet";
}

Task<> NameWatch::follow(Name& name) {
  Duration pause = kFirstPause;
  for (bool is_first = true;; is_first = false) {
    const auto answer = co_await resolver_.resolve(name.settings->host(), name.settings->type, name.records);
    Duration wait = pause;
    if (answer) {
      learn(name, *answer);
      wait = answer->ttl;
      pause = kFirstPause;
    } else {
      failed(name, answer.error());
      pause = std::min(pause * 2, kLongestPause);
    }
    if (is_first && --unasked_ == 0) begin();
    co_await sleep_for(loop_, wait);
  }
}

void NameWatch::learn(Name& name, const net::Resolution& answer) {
  const bool had_answer = std::exchange(name.has_answer, true);
  upstream_.state().remember(name.key, answer);
  if (std::exchange(name.error, std::nullopt)) {
    log::info("name_resolved",
              {{"upstream", upstream_.name()}, {"name", *name.settings->dns}, {"addresses", answer.records.size()}});
  }
  if (had_answer && name.records == answer.records) return;
  name.records = answer.records;
  if (!name.is_resolved()) {
    name.unresolved_since = loop_.now();
    log::warn("name_without_service",
              {{"upstream", upstream_.name()}, {"name", *name.settings->dns}, {"why", name.why_unresolved()}});
  }
  if (all_asked_.is_set()) publish();
}

/// The event is of the first failure in a row.
void NameWatch::failed(Name& name, const Error& error) {
  failures_.add();
  const bool is_first = !name.error;
  name.error = error;
  if (!is_first) return;
  log::warn("name_not_resolved", {{"upstream", upstream_.name()},
                                  {"name", *name.settings->dns},
                                  {"why", error.detail},
                                  {"addresses_kept", name.records.size()}});
}

/// All at once: what comes later counts as joining, and starts slowly.
void NameWatch::begin() {
  if (all_asked_.is_set()) return;
  all_asked_.set();
  publish();
}

void NameWatch::publish() { upstream_.publish(specs(), loop_.now(), unresolved()); }

std::vector<UnresolvedName> NameWatch::unresolved() const {
  std::vector<UnresolvedName> all;
  for (const Name& name : names_) {
    const auto& settings = *name.settings;
    if (!name.is_resolved())
      all.push_back({*settings.dns, name.why_unresolved(), name.unresolved_since, settings.weight, settings.is_backup});
  }
  return all;
}

/// In the order of the configuration; an address that several lines lead to counts once, by the first.
std::vector<EndpointSpec> NameWatch::specs() const {
  std::vector<EndpointSpec> specs;
  std::unordered_set<std::string> addresses;
  const auto add = [&](EndpointSpec spec) {
    if (addresses.insert(spec.address.text()).second) specs.push_back(std::move(spec));
  };
  auto name = names_.begin();
  for (const auto& endpoint : upstream_.settings().endpoints) {
    if (!endpoint.is_name()) {
      add(endpoint.at(endpoint.parsed));
      continue;
    }
    auto best = uint16_t{UINT16_MAX};
    for (const auto& record : name->records) best = std::min(best, record.priority);
    for (const auto& record : name->records) add(spec_of(endpoint, record, best));
    ++name;
  }
  return specs;
}

}  // namespace weir::upstream
