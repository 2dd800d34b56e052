#pragma once

#include "exchange/exchange.h"
#include "exchange/snapshot_ref.h"

namespace weir {

/// Is told when a limit that counts by client delays an exchange.
class DelayListener {
 public:
  virtual void delayed() = 0;

 protected:
  ~DelayListener() = default;
};

/// An exchange that runs beside its parent (`Exchange::fork`) or beyond it (`Exchange::detach`): a copy of the request
/// as it was at the mark, in an arena of its own, with a response of its own. It has no client: a 1xx goes nowhere.
/// Whoever runs it destroys its task first.
class Child final : ClientSide {
 public:
  enum class Bond : uint8_t {
    fork,    // its attempts and flags are the parent's, who outlives it
    detach,  // nothing of the parent's is needed any more; keeps the snapshot
  };
  Child(Exchange& parent, const Exchange::Mark& mark, Bond bond);
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() override;

  /// Its attempts are told by somebody else.
  void leave_untold() { is_untold_ = true; }
  /// A 1xx goes to this exchange's client, until it is null. For a while only: it must not go before.
  void inform_through(Exchange* parent) { informed_ = parent; }
  /// Of a detached child, until it is null; the delays of a forked one are its parent's.
  void tell_delays_to(DelayListener* listener) { listener_ = listener; }

 private:
  void inform(const http::ResponseHead& head) override {
    if (informed_) informed_->inform(head);
  }
  net::Address local_address() const override { return local_address_; }
  Backlog* backlog() override { return backlog_; }
  bool has_reader() const override { return has_reader_; }
  void delayed() override {
    if (parent_) parent_->tell_delay();
    if (listener_) listener_->delayed();
  }

  SnapshotRef snapshot_;  // of one that is detached
  net::Address local_address_;
  Backlog* const backlog_;  // of the parent's client; null when detached
  const bool has_reader_;   // false when detached: a cache may store the response, or hand it over
  Exchange* const parent_;  // of one that is forked
  Exchange* informed_ = nullptr;
  DelayListener* listener_ = nullptr;
  bool is_untold_ = false;
  Arena arena_;

 public:
  Exchange exchange;
};

}  // namespace weir
