#pragma once

#include <span>
#include <string_view>

#include "exchange/child.h"

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

}  // namespace weir::plugins
