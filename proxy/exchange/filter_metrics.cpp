#include "exchange/filter_metrics.h"

namespace weir {

namespace {

/// Whether one of `dropped` is what a sample with these labels is about.
bool is_about(const std::set<FilterMetrics::Subject>& dropped, const std::string& family,
              const FilterMetrics::Labels& labels) {
  const auto has = [&](FilterMetrics::Labels some) {
    return dropped.contains({"", some}) || dropped.contains({family, std::move(some)});
  };
  for (size_t i = 0; i < labels.size(); ++i) {
    if (has({labels[i]})) return true;
    for (size_t j = i + 1; j < labels.size(); ++j) {
      if (has({labels[i], labels[j]})) return true;
    }
  }
  return false;
}

}  // namespace

FilterMetrics::Hold FilterMetrics::hold(std::vector<Subject> subjects) { return Hold(held_, std::move(subjects)); }

FilterMetrics::Hold::Hold(std::shared_ptr<Held> held, std::vector<Subject> subjects)
    : held_(std::move(held)), subjects_(std::move(subjects)) {
  const std::lock_guard lock(held_->mutex);
  for (const auto& subject : subjects_) {
    ++held_->counts[subject];
    held_->dropped.erase(subject);
  }
}

FilterMetrics::Hold::~Hold() {
  if (!held_) return;
  const std::lock_guard lock(held_->mutex);
  for (auto& subject : subjects_) {
    const auto count = held_->counts.find(subject);
    if (--count->second > 0) continue;
    held_->counts.erase(count);
    held_->dropped.insert(std::move(subject));
  }
}

void FilterMetrics::sweep() const {
  std::set<Subject> dropped;
  {
    const std::lock_guard lock(held_->mutex);
    dropped = held_->dropped;
  }
  if (dropped.empty()) return;
  sweep(families_);
  sweep(histograms_);
  const std::lock_guard lock(held_->mutex);
  for (const auto& subject : dropped) held_->dropped.erase(subject);
}

/// A subject that is held again meanwhile keeps what is left of its samples.
template <class Families>
void FilterMetrics::sweep(Families& families) const {
  std::unique_lock lock(mutex_);
  for (auto& [name, family] : families) {
    auto& samples = family.samples;
    for (auto next = samples.begin(); next != samples.end();) {
      {
        const std::lock_guard held(held_->mutex);
        for (size_t i = 0; i < kPiece && next != samples.end(); ++i)
          next = is_about(held_->dropped, name, next->first) ? samples.erase(next) : std::next(next);
      }
      if constexpr (requires { family.size; }) family.size.store(samples.size(), std::memory_order_relaxed);
      lock.unlock();
      lock.lock();
    }
  }
}

}  // namespace weir
