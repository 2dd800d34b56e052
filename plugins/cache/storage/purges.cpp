#include "plugins/cache/storage/purges.h"

#include <algorithm>
#include <array>
#include <mutex>

#include "base/hash.h"

namespace weir::plugins {

namespace {

constexpr std::array<std::string_view, 4> kKinds = {"url", "prefix", "tag", "all"};
constexpr std::array<std::string_view, 2> kForces = {"hard", "soft"};

/// Takes the first word off, which is one of these.
template <class Enum, size_t count>
std::optional<Enum> take_word(std::string_view& text, const std::array<std::string_view, count>& words) {
  const auto end = std::min(text.find(' '), text.size());
  const auto found = std::ranges::find(words, text.substr(0, end));
  if (found == words.end()) return std::nullopt;
  text.remove_prefix(std::min(end + 1, text.size()));
  return static_cast<Enum>(found - words.begin());
}

}  // namespace

bool is_sound(const Purge& purge) {
  if ((purge.kind == Purge::Kind::all) != purge.text.empty() || purge.text.size() > Purge::kMostText) return false;
  return std::ranges::none_of(purge.text, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; });
}

std::string_view name_of(Purge::Kind kind) { return kKinds[static_cast<size_t>(kind)]; }

std::string to_text(const Purge& purge) {
  std::string text(kForces[static_cast<size_t>(purge.force)]);
  text.append(" ").append(name_of(purge.kind));
  if (!purge.text.empty()) text.append(" ").append(purge.text);
  return text;
}

std::optional<Purge> purge_of(std::string_view text) {
  const auto force = take_word<Purge::Force>(text, kForces);
  if (!force) return std::nullopt;
  const auto kind = take_word<Purge::Kind>(text, kKinds);
  if (!kind || text.size() > Purge::kMostText) return std::nullopt;
  Purge purge{*kind, *force, std::string(text)};
  if (!is_sound(purge)) return std::nullopt;
  return purge;
}

Purges::Purges(const Settings&) {}

uint64_t Purges::hash_of_tag(std::string_view tag) { return hash(tag); }

uint64_t Purges::add(const Purge& purge) {
  const std::unique_lock lock(mutex_);
  return add_newest(purge);
}

/// Its own number would be too old if another came since: who knows that one needn't know this one.
void Purges::add(const Purge& purge, std::string_view id, uint64_t own) {
  const std::unique_lock lock(mutex_);
  if (numbers_.contains(id)) return;
  know(id, own > 0 && own == newest() ? own : add_newest(purge));
}

void Purges::know(std::string_view id, uint64_t number) {
  if (ids_.size() == kMost) {
    numbers_.erase(ids_.front());
    ids_.pop_front();
  }
  ids_.emplace_back(id);
  numbers_.emplace(id, number);
  if (ids_.size() < kMost || !knows_first_) return;
  // The log keeps no more, so it may have had some before the first one that was heard.
  knows_first_ = false;
  forgotten_ = std::max(forgotten_, numbers_.find(ids_.front())->second);
}

uint64_t Purges::add_newest(const Purge& purge) {
  const uint64_t number = newest() + 1;
  auto& latest = latest_of(purge);
  auto& mine = purge.force == Purge::Force::hard ? latest.hard : latest.soft;
  const auto earlier = std::ranges::lower_bound(orders_, mine, {}, &Order::number);
  if (earlier != orders_.end() && earlier->purge == purge) orders_.erase(earlier);
  orders_.push_back({number, purge});
  mine = number;
  if (orders_.size() > kMost) {
    forgotten_ = std::max(forgotten_, orders_.front().number);
    const Purge oldest = std::move(orders_.front().purge);
    orders_.pop_front();
    drop(oldest);
  }
  newest_.store(number, std::memory_order_release);
  return number;
}

Purges::Latest& Purges::latest_of(const Purge& purge) {
  switch (purge.kind) {
    case Purge::Kind::url: return urls_[hash(purge.text)];
    case Purge::Kind::tag: return tags_[hash_of_tag(purge.text)];
    case Purge::Kind::prefix: return prefixes_[purge.text];
    case Purge::Kind::all: break;
  }
  return all_;
}

/// Whoever hasn't been held against it counts as gone anyway.
void Purges::drop(const Purge& purge) {
  if (latest_of(purge).newest() > forgotten_) return;
  switch (purge.kind) {
    case Purge::Kind::url: urls_.erase(hash(purge.text)); break;
    case Purge::Kind::tag: tags_.erase(hash_of_tag(purge.text)); break;
    case Purge::Kind::prefix: prefixes_.erase(purge.text); break;
    case Purge::Kind::all: break;
  }
}

Purges::Verdict Purges::judge(uint64_t since, std::string_view url, std::span<const uint64_t> tags) const {
  const std::shared_lock lock(mutex_);
  if (since < forgotten_) return Verdict::gone;
  auto verdict = all_.verdict(since);
  const auto hold_against = [&](const Latest& latest) { verdict = std::max(verdict, latest.verdict(since)); };
  if (const auto found = urls_.find(hash(url)); found != urls_.end()) hold_against(found->second);
  for (const uint64_t tag : tags) {
    if (const auto found = tags_.find(tag); found != tags_.end()) hold_against(found->second);
  }
  return std::max(verdict, judge_prefixes(since, url));
}

/// From the longest prefix to the shortest: what stands right before a text in the order of the alphabet is the longest
/// prefix of it, or has all others in common with it.
Purges::Verdict Purges::judge_prefixes(uint64_t since, std::string_view url) const {
  auto verdict = Verdict::keep;
  for (auto at = prefixes_.upper_bound(url); at != prefixes_.begin(); at = prefixes_.upper_bound(url)) {
    const auto& [prefix, latest] = *--at;
    const auto common = static_cast<size_t>(std::ranges::mismatch(url, prefix).in1 - url.begin());
    const bool is_prefix = common == prefix.size();
    if (is_prefix) verdict = std::max(verdict, latest.verdict(since));
    url = url.substr(0, is_prefix ? common - 1 : common);
  }
  return verdict;
}

Purges::Verdict Purges::Latest::verdict(uint64_t since) const {
  if (hard > since) return Verdict::gone;
  return soft > since ? Verdict::stale : Verdict::keep;
}

void Purges::forget_all() {
  const std::unique_lock lock(mutex_);
  orders_.clear();
  urls_.clear();
  tags_.clear();
  prefixes_.clear();
  all_ = {};
  ids_.clear();
  numbers_.clear();
  knows_first_ = false;
  forgotten_ = newest() + 1;
  newest_.store(forgotten_, std::memory_order_release);
}

std::string Purges::newest_id() const {
  const std::shared_lock lock(mutex_);
  return ids_.empty() ? std::string() : ids_.back();
}

std::optional<uint64_t> Purges::number_of(std::string_view id) const {
  const std::shared_lock lock(mutex_);
  if (id.empty()) return knows_first_ ? std::optional<uint64_t>(0) : std::nullopt;
  const auto found = numbers_.find(id);
  return found == numbers_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace weir::plugins
