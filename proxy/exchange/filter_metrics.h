#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace weir {

/// A number that any thread changes and any thread reads.
class SharedCount {
 public:
  void add(int64_t count = 1) { value_.fetch_add(count, std::memory_order_relaxed); }
  void subtract(int64_t count = 1) { add(-count); }
  void set(int64_t value) { value_.store(value, std::memory_order_relaxed); }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  alignas(64) std::atomic<int64_t> value_ = 0;
};

/// One more in a gauge, as long as it lives.
class Presence {
 public:
  explicit Presence(SharedCount& gauge) : gauge_(&gauge) { gauge.add(); }
  Presence(Presence&& other) noexcept : gauge_(std::exchange(other.gauge_, nullptr)) {}
  Presence& operator=(Presence&&) = delete;
  ~Presence() {
    if (gauge_) gauge_->subtract();
  }

 private:
  SharedCount* gauge_;
};

/// What filters, gates and the store count: families by name, samples by labels. One that was made stays for the life
/// of the process, so that a reload finds it again and resets nothing. Labels come from the configuration only.
/// Making and reading lock; counting doesn't. Any thread.
class FilterMetrics {
 public:
  enum class Kind : uint8_t { counter, gauge };
  using Labels = std::vector<std::pair<std::string, std::string>>;

  /// `family` without "weir_" and without "_total": "rate_limit_decisions". Kind and help of a family are those that
  /// it was first asked for with.
  SharedCount& counter(const std::string& family, const std::string& help, Labels labels) {
    return find(Kind::counter, family, help, std::move(labels));
  }
  SharedCount& gauge(const std::string& family, const std::string& help, Labels labels) {
    return find(Kind::gauge, family, help, std::move(labels));
  }

  /// visit(family, kind, help, labels, value), those of a family one after the other.
  template <class Visit>
  void for_each(Visit visit) const {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, family] : families_) {
      for (const auto& [labels, count] : family.samples) visit(name, family.kind, family.help, labels, count.value());
    }
  }

 private:
  struct Family {
    Kind kind;
    std::string help;
    std::map<Labels, SharedCount> samples;
  };
  SharedCount& find(Kind kind, const std::string& name, const std::string& help, Labels labels) {
    const std::lock_guard lock(mutex_);
    auto& family = families_.try_emplace(name, Family{kind, help, {}}).first->second;
    return family.samples[std::move(labels)];
  }

  mutable std::mutex mutex_;  // of the maps, not of the counts
  std::map<std::string, Family> families_;
};

}  // namespace weir
