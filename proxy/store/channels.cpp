#include "store/channels.h"

namespace weir::store {

Channels::Subscription::~Subscription() {
  if (!channels_) return;
  const std::lock_guard lock(channels_->mutex_);
  channels_->listeners_.erase(id_);
}

Channels::Subscription Channels::subscribe(std::string channel, Hear hear) {
  const std::lock_guard lock(mutex_);
  listeners_.emplace(++last_id_, Listener{std::move(channel), std::move(hear)});
  return {*this, last_id_};
}

void Channels::deliver(std::string_view channel, std::string_view text) {
  const std::lock_guard lock(mutex_);
  for (const auto& [id, listener] : listeners_) {
    if (listener.channel == channel) listener.hear(text);
  }
}

}  // namespace weir::store
