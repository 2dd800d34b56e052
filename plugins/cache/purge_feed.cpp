#include "plugins/cache/purge_feed.h"

#include <fmt/format.h>

#include <random>

#include "base/log.h"
#include "base/text.h"

namespace weir::plugins {

namespace {

std::string random_id() {
  std::random_device dice;
  return fmt::format("{:08x}{:08x}", dice(), dice());
}

std::string_view take_word(std::string_view& text) {
  const auto word = text.substr(0, text.find(' '));
  text.remove_prefix(std::min(word.size() + 1, text.size()));
  return word;
}

/// What nobody obeys: an entry whose id those can name that had none left.
const Purge kMark{Purge::Kind::url, Purge::Force::soft, "-"};
/// The same, and that orders were lost which others may not have heard: what was stored before is doubtful.
const Purge kLost{Purge::Kind::url, Purge::Force::soft, "-lost"};
const Purge kAll{Purge::Kind::all, Purge::Force::hard, ""};

}  // namespace

PurgeFeed::PurgeFeed(const Settings& settings)
    : name_(settings.name),
      log_("cache." + settings.name + ".purges"),
      id_(random_id()),
      announcer_(settings.announcer) {
  if (!announcer_) return;
  if (settings.metrics) {
    const FilterMetrics::Labels labels{{"cache", settings.label}};
    held_ = settings.metrics->hold({{"", labels}});
    lost_ = &settings.metrics->counter(
        "cache_purge_logs_lost", "Losses of the store's purges, after which what was stored is validated", labels);
  }
  following_ = announcer_->follow(log_, {.hear = [this](const store::Entry& entry) { hear(entry); },
                                         .lost = [this] { lose(); },
                                         .caught_up = [this] { catch_up(); }});
}

uint64_t PurgeFeed::order(const Purge& purge) {
  if (!announcer_) return purges_.add(purge);
  is_of_concern_.store(true, std::memory_order_relaxed);
  return give(purge);
}

uint64_t PurgeFeed::give(const Purge& purge) {
  const auto told = tellable(purge);
  const std::lock_guard lock(telling_);
  const uint64_t number = purges_.add_own(told);
  tell(told, number);
  return number;
}

/// "ID NUMBER ORDER". When there is no room for all that were given, what stands for them is heard as the last of them.
void PurgeFeed::tell(const Purge& purge, uint64_t number) {
  const auto entry = [&](const Purge& order) { return fmt::format("{} {} {}", id_, number, to_text(order)); };
  announcer_->append(log_, entry(purge), Purges::kMostLogged, entry(kAll));
}

/// One that makes no sense here has an id that isn't known here: what others stored when they had obeyed it is held
/// against more than it need be, or counts as gone.
void PurgeFeed::hear(const store::Entry& entry) {
  auto text = entry.value;
  const bool is_own = take_word(text) == id_;
  const auto number = parse_decimal(take_word(text));
  const auto purge = purge_of(text);
  if (!number || !purge) tell_not_understood(entry);
  else if (is_own) purges_.heard_own(*number, entry.id);
  else if (*purge == kLost) purges_.doubt(entry.id);
  else purges_.add(*purge, entry.id);
  if (purge && *purge != kMark) is_of_concern_.store(true, std::memory_order_relaxed);
}

void PurgeFeed::tell_not_understood(const store::Entry& entry) {
  const auto turn = not_understood_.turn(announcer_->clock().now());
  if (turn) log::warn("cache_purge_not_understood", {{"cache", name_}, {"entry", entry.id}, {"untold", turn->untold}});
}

/// Of an empty log the first entry is a mark.
void PurgeFeed::catch_up() {
  purges_.caught_up();
  if (has_marked_ || !purges_.newest_id().empty()) return;
  has_marked_ = true;
  const std::lock_guard lock(telling_);
  tell(kMark, 0);
}

void PurgeFeed::lose() {
  const bool is_of_concern = is_of_concern_.load(std::memory_order_relaxed);
  log::write(
      is_of_concern ? log::Level::warn : log::Level::info, "cache_purges_lost",
      {{"cache", name_}, {"consequence", is_of_concern ? "what was stored is validated before it is used" : "none"}});
  purges_.lose_log(is_of_concern ? Purges::Missed::some : Purges::Missed::none);
  if (is_of_concern) losses_.fetch_add(1, std::memory_order_relaxed);
  if (is_of_concern && lost_) lost_->add();
  has_marked_ = true;
  give(is_of_concern ? kLost : kMark);
}

}  // namespace weir::plugins
