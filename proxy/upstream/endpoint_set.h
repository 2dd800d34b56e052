#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/units.h"
#include "net/address.h"
#include "upstream/balancer.h"
#include "upstream/config.h"
#include "upstream/endpoint.h"
#include "upstream/reach.h"

namespace weir::upstream {

/// One endpoint to be: a line of the configuration, or one address of a name.
struct EndpointSpec {
  net::Address address;
  std::string authority;
  uint32_t weight = 1;
  bool is_backup = false;
  uint32_t max_requests = 0;
  uint32_t max_connections = 0;
  bool operator==(const EndpointSpec&) const = default;
};

/// An endpoint to be whose name has no address yet.
struct UnresolvedName {
  std::string name;  // "api.internal:8000"
  std::string why;
  Time since{};
  uint32_t weight = 1;
  bool is_backup = false;
};

/// The endpoints of an upstream at one time, with the balancers built over them: primaries, and backups for when
/// no primary is left. Built off the data path; immutable.
class EndpointSet {
 public:
  EndpointSet(const UpstreamSettings& settings, std::vector<EndpointSpec> specs, UpstreamState& state, Time now,
              std::vector<UnresolvedName> unresolved = {});
  EndpointSet(const EndpointSet&) = delete;
  EndpointSet& operator=(const EndpointSet&) = delete;

  std::span<const Endpoint> all() const { return endpoints_; }
  std::span<const Endpoint> primaries() const { return all().first(primary_count_); }
  std::span<const Endpoint> backups() const { return all().subspan(primary_count_); }
  /// Names that have no address: no request can go there.
  const std::vector<UnresolvedName>& unresolved() const { return unresolved_; }
  bool needs_key() const { return is_hash(policy_); }
  bool needs_latency() const { return policy_ == Policy::peak_ewma; }

  /// What a pick found: an endpoint; or none, because those eligible are full or because there are none.
  struct Choice {
    const Endpoint* endpoint = nullptr;
    bool is_full = false;
  };
  /// As far as `reach` goes: primaries before backups, and those not tried before any again. A full primary is waited
  /// for, not passed over.
  Choice choose(Pick pick) const;
  /// Whom requests may go to now. Worked out anew, and told, after a change of health.
  Reach reach() const;
  /// Whether they may go to this one of its endpoints, as far as health goes.
  bool reaches(const Endpoint& endpoint) const {
    const Reach reach = this->reach();
    return endpoint.state->health.load(std::memory_order_relaxed) <=
           (endpoint.is_backup ? reach.backups : reach.primaries);
  }

 private:
  struct Group {
    std::span<const Endpoint> endpoints;
    const Balancer* balancer;
    Health worst;
  };
  Choice choose_untried(Pick pick) const;
  static std::optional<Choice> choose_among(const Group& group, Pick& pick);
  Reach work_out_reach(uint64_t version) const;

  UpstreamState& state_;
  Thresholds thresholds_;
  mutable std::atomic<uint64_t> reach_{0};  // the last one packed, under the ledger's version that it is of
  Policy policy_;
  std::vector<Endpoint> endpoints_;  // primaries first
  const std::vector<UnresolvedName> unresolved_;
  size_t primary_count_ = 0;
  std::unique_ptr<Balancer> primary_balancer_;  // null without endpoints
  std::unique_ptr<Balancer> backup_balancer_;
};

}  // namespace weir::upstream
