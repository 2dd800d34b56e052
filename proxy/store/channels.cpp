#include "store/channels.h"

namespace weir::store {

Channels::Subscription::~Subscription() {
  if (channels_) channels_->remove(channel_, id_);
}

void Channels::remove(const std::string& channel, uint64_t id) {
  const std::lock_guard lock(mutex_);
  const auto found = listeners_.find(channel);
  found->second.erase(id);
  if (found->second.empty()) listeners_.erase(found);
}

Channels::Subscription Channels::subscribe(std::string channel, Hear hear) {
  const std::lock_guard lock(mutex_);
  listeners_[channel].emplace(++last_id_, std::move(hear));
  return {*this, std::move(channel), last_id_};
}

void Channels::deliver(std::string_view channel, std::string_view text) {
  const std::lock_guard lock(mutex_);
  const auto found = listeners_.find(channel);
  if (found == listeners_.end()) return;
  for (const auto& [id, hear] : found->second) hear(text);
}

}  // namespace weir::store
