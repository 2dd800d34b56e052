#include "plugins/cache/storage/loose_bodies.h"

#include <chrono>

#include "plugins/cache/storage/content.h"

namespace weir::plugins {

namespace {

constexpr Duration kBetweenLooks = std::chrono::seconds(1);

}  // namespace

void LooseBodies::add(Content& content) {
  const std::lock_guard lock(mutex_);
  if (!content.is_linked()) bodies_.push_back(content);
}

void LooseBodies::remove(Content& content) {
  const std::lock_guard lock(mutex_);
  content.unlink();
}

void LooseBodies::drop_stalled(Time now) {
  const std::lock_guard lock(mutex_);
  if (looked_ > now - kBetweenLooks) return;
  looked_ = now;
  for (auto& content : bodies_) content.drop_if_stalled(now);
}

}  // namespace weir::plugins
