#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
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

/// How many values were at most so much, by fixed bounds, and their sum. Whole numbers of the family's unit, none below
/// 0. Any thread, no lock; a reader may see a value in its bucket before it sees it in the sum.
class SharedHistogram {
 public:
  /// Upper bounds, inclusive, in rising order; one more bucket takes what is greater.
  explicit SharedHistogram(std::span<const int64_t> bounds)
      : bounds_(bounds.begin(), bounds.end()), buckets_(bounds.size() + 1) {}

  void observe(int64_t value) {
    buckets_[static_cast<size_t>(std::ranges::lower_bound(bounds_, value) - bounds_.begin())].add();
    sum_.add(std::max<int64_t>(value, 0));
  }
  std::span<const int64_t> bounds() const { return bounds_; }
  std::span<const SharedCount> buckets() const { return buckets_; }
  int64_t sum() const { return sum_.value(); }

 private:
  const std::vector<int64_t> bounds_;
  std::vector<SharedCount> buckets_;
  SharedCount sum_;
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

/// What filters, gates and the store count: families by name, samples by labels. Who counts holds what the samples are
/// about; a sample whose subject nobody holds any more is removed. A reload holds the new before it lets the old go, so
/// what both have is reset by none. A sample about nothing that was ever held stays for the life of the process. Labels
/// come from the configuration only. Making and reading lock; counting doesn't. Any thread.
class FilterMetrics {
 public:
  enum class Kind : uint8_t { counter, gauge };
  using Labels = std::vector<std::pair<std::string, std::string>>;

  /// What samples are about: those of the family (of all families, when it is "") with one or two labels, in the
  /// samples' order: {"", {{"route", "shop"}}}.
  struct Subject {
    std::string family;
    Labels labels;
    auto operator<=>(const Subject&) const = default;
  };
  /// Keeps samples as long as it lives; held before their counts are asked for.
  class Hold;
  [[nodiscard]] Hold hold(std::vector<Subject> subjects);

  /// `family` without "weir_" and without "_total": "rate_limit_decisions". Kind and help of a family are those that
  /// it was first asked for with.
  SharedCount& counter(const std::string& family, const std::string& help, Labels labels) {
    return find(Kind::counter, family, help, std::move(labels));
  }
  SharedCount& gauge(const std::string& family, const std::string& help, Labels labels) {
    return find(Kind::gauge, family, help, std::move(labels));
  }
  /// `family` ends with its unit: "cache_hit_age_seconds". The bounds are the first ones that it was asked for with.
  SharedHistogram& histogram(const std::string& family, const std::string& help, Labels labels,
                             std::span<const int64_t> bounds) {
    const std::lock_guard lock(mutex_);
    auto& histograms = histograms_.try_emplace(family, Histograms{help, {}}).first->second;
    return histograms.samples.try_emplace(std::move(labels), bounds).first->second;
  }

  /// visit(family, kind, help, labels, value, samples of the family), those of a family one after the other. Holds no
  /// lock meanwhile.
  template <class Visit>
  void for_each(Visit visit) const {
    const std::lock_guard walking(walking_);
    sweep();
    walk(families_, [&](const std::string& name, const Family& family, const Labels& labels, const SharedCount& count) {
      visit(name, family.kind, family.help, labels, count.value(), family.size);
    });
  }
  /// visit(family, help, labels, histogram), in the same way.
  template <class Visit>
  void for_each_histogram(Visit visit) const {
    const std::lock_guard walking(walking_);
    walk(histograms_, [&](const std::string& name, const Histograms& family, const Labels& labels,
                          const SharedHistogram& histogram) { visit(name, family.help, labels, histogram); });
  }

 private:
  struct Family {
    Kind kind;
    std::string help;
    using Samples = std::map<Labels, SharedCount>;
    Samples samples;
    std::atomic<size_t> size = 0;  // of `samples`, for who holds no lock
  };
  struct Histograms {
    std::string help;
    using Samples = std::map<Labels, SharedHistogram>;
    Samples samples;
  };
  SharedCount& find(Kind kind, const std::string& name, const std::string& help, Labels labels) {
    const std::lock_guard lock(mutex_);
    auto& family = families_.try_emplace(name, kind, help).first->second;
    auto& count = family.samples[std::move(labels)];
    family.size.store(family.samples.size(), std::memory_order_relaxed);
    return count;
  }

  /// Which subjects are held, how often, and which no longer are. Owned by the metrics and by each Hold, which may
  /// outlive them.
  struct Held {
    std::mutex mutex;
    std::map<Subject, size_t> counts;
    std::set<Subject> dropped;  // since the last sweep
  };

  static constexpr size_t kPiece = 256;  // samples: whoever asks for a count meanwhile waits for the look at so many

  // With `walking_` held; only these remove samples.
  void sweep() const;
  template <class Families>
  void sweep(Families& families) const;

  /// Piece by piece. Nobody removes samples meanwhile, so that places in the maps stay valid.
  template <class Families, class Visit>
  void walk(const Families& families, Visit visit) const {
    std::vector<const typename Families::mapped_type::Samples::value_type*> piece;
    std::unique_lock lock(mutex_);
    for (const auto& [name, family] : families) {
      for (auto next = family.samples.begin(); next != family.samples.end();) {
        piece.clear();
        for (; next != family.samples.end() && piece.size() < kPiece; ++next) piece.push_back(&*next);
        lock.unlock();
        for (const auto* sample : piece) visit(name, family, sample->first, sample->second);
        lock.lock();
      }
    }
  }

  const std::shared_ptr<Held> held_ = std::make_shared<Held>();
  mutable std::mutex walking_;  // taken before `mutex_`, and that before `Held::mutex`
  mutable std::mutex mutex_;    // of the maps, not of the counts
  // A look at them removes what nobody holds.
  mutable std::map<std::string, Family> families_;
  mutable std::map<std::string, Histograms> histograms_;
};

class FilterMetrics::Hold {
 public:
  Hold() = default;
  Hold(Hold&&) noexcept = default;
  Hold& operator=(Hold&& other) noexcept {
    std::swap(held_, other.held_);
    std::swap(subjects_, other.subjects_);
    return *this;
  }
  ~Hold();

 private:
  friend class FilterMetrics;
  Hold(std::shared_ptr<Held> held, std::vector<Subject> subjects);

  std::shared_ptr<Held> held_;
  std::vector<Subject> subjects_;
};

}  // namespace weir
