#include "store/log_follower.h"

namespace weir::store {

LogFollower::Subscription::~Subscription() {
  if (!listener_) return;
  const std::lock_guard lock(listener_->mutex);
  listener_->is_there = false;
  listener_->ears = {};
}

LogFollower::LogFollower(Loop& loop, Channels& channels, BlockPool& blocks, Pace& pace, std::string log,
                         std::shared_ptr<Listener> listener)
    : loop_(loop),
      blocks_(blocks),
      pace_(pace),
      log_(std::move(log)),
      listener_(std::move(listener)),
      wake_(std::make_shared<Event>(loop)),
      alarm_(loop, *this),
      words_(channels.subscribe(log_, [&loop, wake = std::weak_ptr(wake_)](std::string_view) {
        loop.post([wake] {
          if (const auto mine = wake.lock()) mine->set();
        });
      })) {
  ++pace_.followers;
}

void LogFollower::follow(Store& store) {
  task_ = run(store);
  task_.start();
}

bool LogFollower::is_listened_to() const {
  const std::lock_guard lock(listener_->mutex);
  return listener_->is_there;
}

Task<> LogFollower::run(Store& store) {
  while (is_listened_to()) {
    wake_->clear();
    const auto outcome = co_await read_on(store);
    if (outcome == Outcome::more) continue;
    if (outcome == Outcome::lost) {
      // A store that presents another log each time is read once a second only.
      if (std::exchange(has_lost_, true)) co_await sleep_for(loop_, Pace::kInterval);
      continue;
    }
    if (outcome == Outcome::all_heard) {
      has_lost_ = false;
      tell([](const LogEars& ears) { ears.caught_up(); });
    }
    if (outcome == Outcome::failed || store.is_shared()) alarm_.start(pace_.interval());
    co_await wake_->wait();
    alarm_.stop();
  }
}

Task<LogFollower::Outcome> LogFollower::read_on(Store& store) {
  const auto permit = co_await pace_.reads.acquire(loop_, UINT32_MAX, Time::max());
  if (!permit) co_return Outcome::failed;
  Arena arena(blocks_);
  const auto read = co_await store.read({arena}, log_, before_, kPage);
  if (!read) co_return Outcome::failed;
  auto entries = *read;
  const bool may_be_more = entries.size() == kPage;
  if (last_ && !begins_with_last(entries)) {
    last_.reset();
    before_.clear();
    tell([](const LogEars& ears) { ears.lost(); });
    co_return Outcome::lost;
  }
  if (last_) entries = entries.subspan(1);
  for (const auto& entry : entries) {
    before_ = last_ ? std::move(last_->id) : "";
    last_ = {std::string(entry.id), std::string(entry.value)};
    tell([&](const LogEars& ears) { ears.hear(entry); });
  }
  co_return may_be_more ? Outcome::more : Outcome::all_heard;
}

/// By value, too: ids of the embedded store are small numbers.
bool LogFollower::begins_with_last(std::span<const Entry> entries) const {
  return !entries.empty() && entries[0].id == last_->id && entries[0].value == last_->value;
}

template <class Tell>
void LogFollower::tell(Tell tell) {
  const std::lock_guard lock(listener_->mutex);
  if (listener_->is_there) tell(listener_->ears);
}

}  // namespace weir::store
