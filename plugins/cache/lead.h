#pragma once

#include <memory>
#include <string>

#include "plugins/cache/handover.h"
#include "plugins/cache/parts.h"

namespace weir::plugins {

/// A fill, from the question to the last byte: asks the store that is shared, then the origin, and keeps what comes.
/// Runs in the background, also when the one who began it has gone; ends when nobody is left who cares for it and
/// nothing has come yet, or when there are too many such. Has all of the route's time, whoever began it and when.
/// Settles and ends its fill, however it goes.
class Lead final : DelayListener {
 public:
  struct Order {
    FillPtr fill;
    std::string key;
    size_t url_size = 0;  // the key's beginning
    uint64_t hash = 0;
    RequestDirectives asked;
    ObjectPtr stored;                    // to be validated; may be null
    std::shared_ptr<Handover> handover;  // null: nobody waits for what can't be kept
    Shelf::Refresh refresh{};            // of a fill that no client has begun for itself
  };
  Lead(const CacheParts& parts, Exchange::ChildPtr child, Order order);
  Lead(const Lead&) = delete;
  Lead& operator=(const Lead&) = delete;
  ~Lead();

  Task<> run(Next next);

 private:
  using Outcome = Fill::Outcome;
  void delayed() override { order_.fill->dismiss(); }
  using Moment = StoragePolicy::Moment;

  Task<bool> fetch(Next next);
  Task<bool> until_deserted();
  Task<bool> find_in_store();
  Task<> ask(Next next);
  Task<> send(Next next, const Exchange::Mark& mark, ObjectPtr validated);
  Task<> keep(StoragePolicy::Verdict verdict, const Moment& moment);
  Side whose(const Error& error) const;
  Task<bool> pump(Content& content);
  void let_pass(Content& content, uint64_t bytes);
  bool is_held_up(Content& content, uint64_t backlog, uint64_t window);
  Task<bool> until_read(Content& content);
  Task<> pass_on(const Object& object);
  void validated(const http::RequestHead& request);
  std::string_view why_not(const StoragePolicy::Verdict& verdict) const;
  std::string_view why_not_as_sent() const;
  void fail();
  void hand_over();
  void give_up(std::string_view why);
  void settle(Outcome outcome);
  Shelf::Key key() const { return {order_.key, order_.hash}; }
  std::string_view url() const { return std::string_view(order_.key).substr(0, order_.url_size); }

  const CacheParts& parts_;
  const std::shared_ptr<Shelf> shelf_;
  SnapshotRef snapshot_;      // keeps the parts
  Exchange::ChildPtr child_;  // null: it was given to the leader
  Loop& loop_;
  Order order_;
  const uint64_t purges_seen_;
  std::string purge_id_;
  Time asked_{};
  std::optional<http::Headers> left_;  // the request's fields as the cache sent them on
  bool has_head_ = false;              // of what may be kept
  ObjectPtr kept_;
  ObjectPtr from_store_;               // stale, and being validated
  std::optional<Time> held_up_since_;  // by a reader of what only passes
};

/// To be spawned.
Task<> carry_out(std::unique_ptr<Lead> lead, Next next);

}  // namespace weir::plugins
