#pragma once

#include <memory>
#include <string>

#include "exchange/child.h"
#include "plugins/cache/parts.h"

namespace weir::plugins {

/// What is between a fill and the exchange that began it, who may go before. One thread.
class Handover {
 public:
  explicit Handover(Exchange& leader) : leader_(&leader) {}
  Handover(const Handover&) = delete;
  Handover& operator=(const Handover&) = delete;

  /// The leader goes, or wants no more.
  void leave();
  bool is_left() const { return !leader_; }

  // From the fill.
  void begin(Child& child);
  /// The attempts so far were made for the leader, too: he tells them.
  void tell(Child& child, uint16_t status);
  /// Nothing more comes of it.
  void end() { running_ = nullptr; }
  /// What was answered is for the leader alone.
  void give(Exchange::ChildPtr child);

  /// Fields that are for the leader, and aren't stored: those named by `private="…"` (RFC 9111 section 5.2.2.7).
  void keep_private(const http::Headers& headers, std::string_view names);

  /// The leader's: what `give` gave, or null.
  Exchange::ChildPtr take() { return std::move(given_); }
  /// What `keep_private` kept: as long as the leader.
  std::span<const http::Header> own() const { return own_; }

 private:
  Exchange* leader_;
  Child* running_ = nullptr;
  Exchange::ChildPtr given_;
  std::span<const http::Header> own_;
};

/// A fill, from the question to the last byte: asks the store that is shared, then the origin, and keeps what comes.
/// Runs in the background, whether or not anybody still waits. Settles and ends its fill, however it goes.
class Lead {
 public:
  struct Order {
    FillPtr fill;
    std::string key;
    size_t url_size = 0;  // the key's beginning
    uint64_t hash = 0;
    RequestDirectives asked;
    ObjectPtr stored;                    // to be validated; may be null
    std::shared_ptr<Handover> handover;  // null: nobody waits for what can't be kept
  };
  Lead(const CacheParts& parts, Exchange::ChildPtr child, Order order);
  Lead(const Lead&) = delete;
  Lead& operator=(const Lead&) = delete;
  ~Lead();

  Task<> run(Next next);

 private:
  using Outcome = Fill::Outcome;
  using Moment = StoragePolicy::Moment;

  Task<bool> find_in_store();
  Task<> ask(Next next);
  Task<> send(Next next, const Exchange::Mark& mark, ObjectPtr validated);
  Task<> keep(StoragePolicy::Verdict verdict, const Moment& moment);
  Task<bool> pump(Content& content);
  bool account(const Content& content);
  Task<bool> until_read(Content& content);
  Task<> pass_on(const Object& object);
  void validated(const http::RequestHead& request);
  std::string_view why_not(const StoragePolicy::Verdict& verdict) const;
  void fail();
  void give_up(std::string_view why);
  void settle(Outcome outcome);
  Shelf::Key key() const { return {order_.key, order_.hash}; }
  std::string_view url() const { return std::string_view(order_.key).substr(0, order_.url_size); }

  const CacheParts& parts_;
  const std::shared_ptr<Shelf> shelf_;
  SnapshotRef snapshot_;  // keeps the parts
  Exchange::ChildPtr child_;
  Order order_;
  const uint64_t purges_seen_;
  std::string purge_id_;
  Time asked_{};
  int64_t counted_ = 0;  // memory of what is on its way
};

/// To be spawned.
Task<> carry_out(std::unique_ptr<Lead> lead, Next next);

}  // namespace weir::plugins
