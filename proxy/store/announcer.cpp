#include "store/announcer.h"

#include "async/sleep.h"

namespace weir::store {

namespace {

constexpr int kRecalls = 5;  // while the store is only being connected to, or gone
constexpr Duration kPause = std::chrono::seconds(1);
constexpr size_t kMostRecalled = 1 << 20;  // bytes

}  // namespace

void Announcer::publish(std::string channel, std::string text) {
  post({Order::Kind::publish, std::move(channel), std::move(text)});
}

void Announcer::put(std::string key, std::string value, Duration keep) {
  post({Order::Kind::put, std::move(key), std::move(value), keep});
}

Channels::Subscription Announcer::listen(std::string channel, Channels::Hear hear) {
  auto subscription = channels_.subscribe(channel, std::move(hear));
  post({Order::Kind::recall, std::move(channel), {}});
  return subscription;
}

void Announcer::append(std::string log, std::string value, size_t most, std::string instead) {
  loop_.post([this, log = std::move(log), value = std::move(value), most, instead = std::move(instead)]() mutable {
    log_writer_.add(log, std::move(value), most, std::move(instead));
  });
}

LogFollower::Subscription Announcer::follow(std::string log, LogEars ears) {
  auto listener = std::make_shared<LogFollower::Listener>(std::move(ears));
  loop_.post([this, log = std::move(log), listener]() mutable {
    if (sweep_.is_due(followers_.size())) {
      std::erase_if(followers_, [](const auto& follower) { return !follower->is_listened_to(); });
      sweep_.done(followers_.size());
    }
    followers_.push_back(
        std::make_unique<LogFollower>(loop_, channels_, blocks_, pace_, std::move(log), std::move(listener)));
    if (store_) followers_.back()->follow(*store_);
  });
  return LogFollower::Subscription(std::move(listener));
}

void Announcer::use(Store& store) {
  tasks_.cancel();
  store_ = &store;
  log_writer_.use(store);
  std::erase_if(followers_, [](const auto& follower) { return !follower->is_listened_to(); });
  for (const auto& follower : followers_) follower->stop();
  // Not before the loop turns again: whoever changes the store isn't called back meanwhile.
  loop_.post([this] {
    for (const auto& follower : followers_) follower->follow(*store_);
  });
  for (auto& order : std::exchange(waiting_, {})) tasks_.spawn(carry_out(std::move(order)));
}

void Announcer::post(Order order) {
  loop_.post([this, order = std::move(order)]() mutable {
    if (store_) tasks_.spawn(carry_out(std::move(order)));
    else waiting_.push_back(std::move(order));
  });
}

Task<> Announcer::carry_out(Order order) {
  if (order.kind == Order::Kind::recall) co_return co_await recall(std::move(order));
  Arena arena(blocks_);
  if (order.kind == Order::Kind::put) (void)co_await store_->put({arena}, order.name, order.text, order.keep);
  else (void)co_await store_->publish({arena}, order.name, order.text);
}

Task<> Announcer::recall(Order order) {
  for (int tries = 1;; ++tries) {
    {
      Arena arena(blocks_);
      const auto kept = co_await store_->get({arena}, order.name, kMostRecalled);
      if (kept && *kept) channels_.deliver(order.name, **kept);
      if (kept || tries == kRecalls) co_return;
    }
    co_await sleep_for(loop_, kPause);
  }
}

}  // namespace weir::store
