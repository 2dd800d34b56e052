#pragma once

#include <array>
#include <span>

#include "exchange/filter_context.h"
#include "plugins/cache/key.h"
#include "plugins/cache/lead.h"
#include "plugins/cache/outcomes.h"
#include "plugins/cache/parts.h"
#include "plugins/cache/rules/cache_status.h"

namespace weir::plugins {

/// A shared HTTP cache (RFC 9111): answers from what is stored, asks once for all who want the same, keeps what may be
/// kept.
class Cache : public Filter {
 public:
  Cache(const CacheSettings& settings, const FilterContext::Scope& name, FilterContext& context);
  Task<> handle(Exchange& exchange, Next next) const override;

 private:
  /// What a request is to the cache.
  struct Inquiry {
    CacheKey::Text text;
    Shelf::Key key;
    RequestDirectives asked;
    bool may_store = true;
    bool may_wait = true;  // for another request's answer
  };

  enum class Role : uint8_t { leader, waiter };
  /// One wait for a fill.
  struct Company {
    Time until{};           // how long it waits for a fill that it doesn't lead
    unsigned failures = 0;  // fills that came to nothing for it
    bool leads = false;
    bool has_come = false;  // what is wanted is stored by now
    bool is_kept = false;   // what the fill brings
    std::optional<Fill::Outcome> outcome;
    Attendee attendee;  // until it has begun to read what has come
    // The leader's alone.
    Exchange::ChildPtr given;
    std::span<const http::Header> own{};
  };
  enum class Step : uint8_t { over, answered, conclude, again, alone };

  bool is_bypassed(Exchange& exchange) const;
  bool answers(http::Method method) const;
  Inquiry inquire(Exchange& exchange) const;
  Shelf::Found look(Exchange& exchange, const Inquiry& inquiry) const;
  CacheStatus::Forward why_forwarded(const Shelf::Found& found, Time now) const;

  Task<> answer(Exchange& exchange, Next next, Inquiry inquiry) const;
  void answer_stored(Exchange& exchange, std::string_view within) const;
  Task<> fetch(Exchange& exchange, Next next, const Inquiry& inquiry, Shelf::Found found) const;
  Task<> renew_by_head(Exchange& exchange, Next next, const Inquiry& inquiry, Shelf::Found found) const;
  Task<> pass(Exchange& exchange, Next next, CacheStatus status) const;
  void finish_passed(Exchange& exchange, CacheStatus status) const;
  Task<> change(Exchange& exchange, Next next) const;
  void purge(Exchange& exchange) const;
  void refuse_only_if_cached(Exchange& exchange) const;

  Task<> accompany(Exchange& exchange, Next next, const Inquiry& inquiry, const ObjectPtr& stored,
                   Company& company) const;
  Step step(Exchange& exchange, const Inquiry& inquiry, const Shelf::Found& found, const Company& company,
            CacheStatus& status) const;
  void conclude(Exchange& exchange, Company& company, const ObjectPtr& stored, CacheStatus status) const;
  void finish_fetched(Exchange& exchange, const Company& company, CacheStatus status) const;

  Task<std::optional<Fill::Outcome>> until_settled(Exchange& exchange, Fill& fill, Role role, Time deadline) const;
  Shelf::Want want(Exchange& exchange, const Inquiry& inquiry, const ObjectPtr& known, unsigned failures) const;
  Shelf::Joined join(Exchange& exchange, const Inquiry& inquiry, const ObjectPtr& stored, unsigned failures) const;
  void begin(Exchange& exchange, Next next, const Inquiry& inquiry, FillPtr fill, ObjectPtr stored,
             std::shared_ptr<Handover> handover, Shelf::Refresh refresh) const;
  void refresh(Exchange& exchange, Next next, const Inquiry& inquiry, const ObjectPtr& stored) const;
  bool reply_stored(Exchange& exchange, const ObjectPtr& object, CacheStatus status) const;
  bool stand_in(Exchange& exchange, const ObjectPtr& object, const Inquiry& inquiry) const;
  enum class Tell : uint8_t { when_needed, always };
  void forget(Exchange& exchange, std::string_view url, Tell tell) const;

  void finish(Exchange& exchange, CacheStatus status, CacheOutcome outcome) const;

  CacheParts parts_;
  const CacheKey& key_;
  const CacheStatusSettings status_;
  const CollapseSettings collapse_;
  const double beta_;
  const std::vector<CachedMethod> methods_;
  const std::vector<RequestWord> respected_;
  const std::vector<KeyExpression> bypass_;
  const std::vector<KeyExpression> no_store_;
  ClientNetworks purge_from_;
  const CacheOutcomes outcomes_;
};

config::Tag<FilterFactory> cache_filter();

}  // namespace weir::plugins
