#pragma once

#include "store/store.h"

namespace weir::store {

/// A store that stands for another, which may change between two calls: a worker's exchanges keep a reference to it
/// over reloads. One thread; whoever it stands for sees to it that it outlives the calls that it was given.
class CurrentStore final : public Store {
 public:
  explicit CurrentStore(Store& now) : now_(&now) {}
  void use(Store& now) { now_ = &now; }

  Task<Result<Decision>> take(Caller caller, std::span<const Take> quotas) override {
    return now_->take(caller, quotas);
  }
  Task<Result<Claim>> claim(Caller caller, std::string_view key, ClaimTerms terms) override {
    return now_->claim(caller, key, terms);
  }
  Task<Result<bool>> renew(Caller caller, std::string_view key, std::string_view owner, Duration lease) override {
    return now_->renew(caller, key, owner, lease);
  }
  Task<Result<bool>> complete(Caller caller, std::string_view key, std::string_view owner, std::string_view result,
                              Duration keep) override {
    return now_->complete(caller, key, owner, result, keep);
  }
  Task<Result<bool>> release(Caller caller, std::string_view key, std::string_view owner) override {
    return now_->release(caller, key, owner);
  }
  Task<Result<std::optional<std::string_view>>> get(Caller caller, std::string_view key, size_t most) override {
    return now_->get(caller, key, most);
  }
  Task<Result<>> put(Caller caller, std::string_view key, std::string_view value, Duration keep) override {
    return now_->put(caller, key, value, keep);
  }
  Task<Result<bool>> put_spare(Caller caller, std::string_view key, std::string_view value, Duration keep) override {
    return now_->put_spare(caller, key, value, keep);
  }
  Task<Result<bool>> remove(Caller caller, std::string_view key) override { return now_->remove(caller, key); }
  Task<Result<std::string_view>> append_all(Caller caller, std::string_view log,
                                            std::span<const std::string_view> values, size_t most) override {
    return now_->append_all(caller, log, values, most);
  }
  Task<Result<std::span<const Entry>>> read(Caller caller, std::string_view log, std::string_view after,
                                            size_t count) override {
    return now_->read(caller, log, after, count);
  }
  Task<Result<>> publish(Caller caller, std::string_view channel, std::string_view text) override {
    return now_->publish(caller, channel, text);
  }
  Store& bulk() override { return now_->bulk(); }
  bool is_shared() const override { return now_->is_shared(); }
  uint32_t instances() const override { return now_->instances(); }

 private:
  Store* now_;
};

}  // namespace weir::store
