#include "plugins/cache/storage/purges.h"

#include <algorithm>
#include <mutex>

#include "base/hash.h"

namespace weir::plugins {

namespace {

/// 1 of 64, the same ones for everybody; and the first that one has heard.
bool is_checkpoint(std::string_view id) { return hash(id) % 64 == 0; }

}  // namespace

Purges::Purges(const Settings&) {}

uint64_t Purges::add(const Purge& purge) {
  const std::unique_lock lock(mutex_);
  return add_newest(purge);
}

uint64_t Purges::add_own(const Purge& purge) {
  const std::unique_lock lock(mutex_);
  const auto number = add_newest(purge);
  if (own_heard_ == own_given_) own_heard_ = number - 1;
  own_given_ = number;
  return number;
}

void Purges::add(const Purge& purge, std::string_view id) {
  const std::unique_lock lock(mutex_);
  if (knows(id)) return;
  add_newest(purge);
  know(id);
}

void Purges::doubt(std::string_view id) {
  const std::unique_lock lock(mutex_);
  if (knows(id)) return;
  lost_ = newest() + 1;
  newest_.store(lost_, std::memory_order_release);
  know(id);
}

void Purges::heard_own(uint64_t number, std::string_view id) {
  const std::unique_lock lock(mutex_);
  if (knows(id)) return;
  own_heard_ = std::max(own_heard_, std::min(number, own_given_));
  know(id);
}

/// Who was made then hasn't been held against what was given here and isn't in the log yet.
void Purges::know(std::string_view id) {
  const auto number = own_heard_ == own_given_ ? newest() : own_heard_;
  const bool is_first = ids_.ids.empty();
  if (is_first) first_heard_ = newest();
  if (is_first || is_checkpoint(id)) checkpoints_.add(id, number);
  ids_.add(id, number);
  if (has_caught_up_ || ids_.ids.size() < kMostLogged) return;
  // The log keeps no more, so it may have had some before the first one that was heard.
  forgotten_ = std::max(forgotten_, first_heard_);
}

void Purges::caught_up() {
  const std::unique_lock lock(mutex_);
  has_caught_up_ = !ids_.ids.empty();
}

uint64_t Purges::add_newest(const Purge& purge) {
  const uint64_t number = newest() + 1;
  switch (purge.kind) {
    case Purge::Kind::url: named_.set(hash_of_url(purge.text), purge.force, number); break;
    case Purge::Kind::digest: named_.set(hash_of_digest(purge.text), purge.force, number); break;
    case Purge::Kind::tag: named_.set(hash_of_tag(purge.text), purge.force, number); break;
    case Purge::Kind::prefix: forgotten_ = std::max(forgotten_, prefixes_.set(purge.text, purge.force, number)); break;
    case Purge::Kind::all: all_.of(purge.force) = number; break;
  }
  newest_.store(number, std::memory_order_release);
  return number;
}

Purges::Verdict Purges::judge(uint64_t since, std::string_view url, std::span<const uint64_t> tags) const {
  const std::shared_lock lock(mutex_);
  if (since < forgotten_) return Verdict::gone;
  auto verdict = std::max(all_.verdict(since), named_.find(hash_of_url(url)).verdict(since));
  for (const uint64_t tag : tags) verdict = std::max(verdict, named_.find(tag).verdict(since));
  if (since < lost_) verdict = std::max(verdict, Verdict::doubtful);
  return std::max(verdict, prefixes_.judge(since, url));
}

Purges::Verdict Purges::judge(std::string_view id, std::string_view url, std::span<const uint64_t> tags) const {
  if (const auto since = number_of(id)) return judge(*since, url, tags);
  if (newest_id().empty()) return Verdict::gone;
  return std::max(Verdict::doubtful, judge(uint64_t{0}, url, tags));
}

void Purges::lose_log(Missed missed) {
  const std::unique_lock lock(mutex_);
  ids_ = {};
  checkpoints_ = {};
  if (missed == Missed::none) return;
  lost_ = newest() + 1;
  newest_.store(lost_, std::memory_order_release);
}

std::string Purges::newest_id() const {
  const std::shared_lock lock(mutex_);
  const auto checkpoint = checkpoints_.newest();
  return checkpoint.empty() ? ids_.newest() : ids_.newest() + " " + checkpoint;
}

std::optional<uint64_t> Purges::number_of(std::string_view id) const {
  const auto end = std::min(id.find(' '), id.size());
  const auto checkpoint = id.substr(std::min(end + 1, id.size()));
  const std::shared_lock lock(mutex_);
  if (const auto number = ids_.find(id.substr(0, end))) return number;
  const auto number = ids_.find(checkpoint);
  return number ? number : checkpoints_.find(checkpoint);
}

void Purges::Ids::add(std::string_view id, uint64_t number) {
  if (ids.size() == kMostLogged) {
    numbers.erase(ids.front());
    ids.pop_front();
  }
  ids.emplace_back(id);
  numbers.emplace(id, number);
}

std::optional<uint64_t> Purges::Ids::find(std::string_view id) const {
  const auto found = numbers.find(id);
  return found == numbers.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace weir::plugins
