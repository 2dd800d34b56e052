#pragma once

#include <string>
#include <vector>

#include "async/event.h"
#include "async/task.h"
#include "async/task_group.h"
#include "config/problems.h"
#include "net/resolver.h"
#include "upstream/upstream.h"

namespace weir::upstream {

/// Keeps those endpoints of an upstream that are given by name up to date: resolves each again when its TTL is
/// over, publishes when something changed, and keeps the last good answer while DNS fails (tried again after 1 s,
/// 2 s … 30 s). On one loop, the supervisor's; `upstream` and `resolver` outlive it.
class NameWatch {
 public:
  NameWatch(Loop& loop, net::Resolver& resolver, Upstream& upstream);
  NameWatch(const NameWatch&) = delete;
  NameWatch& operator=(const NameWatch&) = delete;

  /// Until every name has been asked for once, or is known from before. A name without an address becomes a Problem at
  /// the place that wrote it when it says `resolve: required`.
  Task<> ready(config::Problems& problems);
  /// After that: warns of each name without an address.
  void warn(config::Problems& problems) const;

 private:
  struct Name {
    const EndpointSettings* settings;
    std::string key;  // under which the last answer is remembered
    std::vector<net::Resolution::Record> records;
    bool has_answer = false;     // `records` are an answer, even when there are none
    std::optional<Error> error;  // of the last try, when it failed
    Time unresolved_since{};     // while there are no records

    bool is_resolved() const { return !records.empty(); }
    std::string why_unresolved() const;
  };
  Task<> follow(Name& name);
  void learn(Name& name, const net::Resolution& answer);
  void failed(Name& name, const Error& error);
  void begin();
  void publish();
  std::vector<EndpointSpec> specs() const;
  std::vector<UnresolvedName> unresolved() const;

  Loop& loop_;
  net::Resolver& resolver_;
  Upstream& upstream_;
  std::vector<Name> names_;
  size_t unasked_ = 0;
  SharedCount& failures_;
  Event all_asked_;
  TaskGroup group_;
};

}  // namespace weir::upstream
