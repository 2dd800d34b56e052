#include "plugins/cache/handover.h"

#include <utility>

#include "plugins/cache/rules/named_fields.h"

namespace weir::plugins {

void Handover::leave() {
  if (running_) running_->inform_through(nullptr);
  leader_ = nullptr;
  given_.reset();
}

void Handover::begin(Child& child) {
  if (!leader_) return;
  running_ = &child;
  child.inform_through(leader_);
}

void Handover::tell(Child& child, uint16_t status) {
  running_ = nullptr;
  child.inform_through(nullptr);
  if (!leader_) return;
  const auto& attempts = child.exchange.attempts;
  for (size_t i = 0; i < attempts.size(); ++i) {
    Attempt& told = leader_->attempts.add(attempts[i]);
    if (told.outcome == Outcome::pending && told.status == status) told.outcome = Outcome::answered;
  }
  leader_->record.flags |= child.exchange.record.flags;
  child.leave_untold();
}

void Handover::give(Exchange::ChildPtr child) {
  running_ = nullptr;
  child->inform_through(nullptr);
  if (leader_) given_ = std::move(child);
}

void Handover::keep_private(const http::Headers& headers, std::string_view names) {
  if (!leader_ || names.empty()) return;
  http::Headers own(leader_->arena());
  const NamedFields named(names, headers, leader_->arena());
  for (const auto& header : headers) {
    if (named.has(header.name)) own.add(header.name, header.value, header.field);
  }
  const auto kept = own.copy(leader_->arena(), http::Headers::Deep::yes);
  own_ = {kept.begin(), kept.end()};
}

}  // namespace weir::plugins
