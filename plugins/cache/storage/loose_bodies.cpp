#include "plugins/cache/storage/loose_bodies.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "plugins/cache/storage/content.h"

namespace weir::plugins {

namespace {

constexpr Duration kBetweenLooks = std::chrono::seconds(1);
constexpr double kSlow = 0.25;  // of a body within 10 s: it takes its memory for more than 40 s

}  // namespace

void LooseBodies::add(Content& content) {
  const std::lock_guard lock(mutex_);
  if (!content.is_linked()) bodies_.push_back(content);
}

void LooseBodies::remove(Content& content) {
  const std::lock_guard lock(mutex_);
  content.unlink();
}

void LooseBodies::drop_slowest(Time now, int64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (looked_ > now - kBetweenLooks) return;
  looked_ = now;
  std::vector<std::pair<double, Content*>> slow;
  for (auto& content : bodies_) {
    const auto pace = content.pace(now);
    if (pace && *pace < kSlow && content.charged() > 0) slow.emplace_back(*pace, &content);
  }
  std::ranges::sort(slow, {}, &std::pair<double, Content*>::first);
  for (auto& [pace, content] : slow) {
    if (bytes <= 0) return;
    bytes -= content->charged();
    content->drop();
  }
}

}  // namespace weir::plugins
