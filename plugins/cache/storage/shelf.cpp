#include "plugins/cache/storage/shelf.h"

#include <algorithm>
#include <random>

#include "base/hash.h"
#include "plugins/cache/storage/fill_table.h"

namespace weir::plugins {

/// One thing of a node: a response, or the memory that there was none to keep.
struct Shelf::Entry : Eviction::Item {
  Entry(Node& node, ObjectPtr object) : node(node), object(std::move(object)) {}
  Node& node;
  ObjectPtr object;  // null: uncacheable
  Time uncacheable_until{};
};

/// All that is known of one key.
struct Shelf::Node {
  explicit Node(const Key& key) : text(key.text), hash(key.hash) {}
  struct Slot {
    Choice choice = kNoChoice;  // beside the entry, so that a look at all of them is cheap
    std::unique_ptr<Entry> entry;
  };
  static constexpr Choice kNoChoice = 0;  // of what is no response

  const std::string text;
  const uint64_t hash;
  std::vector<Slot> entries;         // newest last
  SelectionForms forms;              // of the responses
  Entry* uncacheable = nullptr;      // one of them
  std::unique_ptr<FillTable> fills;  // null: none
  bool is_empty() const { return entries.empty() && !fills; }
  FillTable& make_fills() {
    if (!fills) fills = std::make_unique<FillTable>();
    return *fills;
  }
  /// The newest response that the request selects; null when there is none.
  Entry* best(RequestValues& request) const;
  /// The response with this selection; null when there is none.
  Entry* same(const Selection& selection) const;
  /// By what its responses were chosen so far, with this request's values.
  Selection expected(RequestValues& request) const;
};

struct Shelf::Shard {
  Shard(size_t most_bytes, Account& account) : account(account), eviction(most_bytes) {}

  struct Hash {
    size_t operator()(const Key& key) const { return key.hash; }
  };
  struct Equal {
    bool operator()(const Key& a, const Key& b) const { return a.hash == b.hash && a.text == b.text; }
  };

  Node* find(const Key& key) {
    const auto found = nodes.find(key);
    return found == nodes.end() ? nullptr : found->second.get();
  }
  Node& find_or_make(const Key& key) {
    if (Node* const node = find(key)) return *node;
    auto node = std::make_unique<Node>(key);
    Node& made = *node;
    nodes.emplace(Key{made.text, made.hash}, std::move(node));
    return made;
  }
  void add(Node& node, std::unique_ptr<Entry> entry, size_t bytes);
  void remove(Entry& entry);
  void end(const Key& key, const FillPtr& fill) {
    Node* const node = find(key);
    if (!node) return;
    if (node->fills) node->fills->end(fill);
    if (node->fills && node->fills->is_empty()) node->fills.reset();
    drop_if_empty(*node);
  }
  void drop_if_empty(Node& node) {
    if (!node.is_empty()) return;
    const auto found = nodes.find(Key{node.text, node.hash});
    nodes.erase(found);
  }

  mutable std::mutex mutex;
  Account& account;
  Eviction eviction;
  std::unordered_map<Key, std::unique_ptr<Node>, Hash, Equal> nodes;  // keys are the nodes' own
  uint64_t objects = 0;
  uint64_t evictions = 0;
};

namespace {

constexpr int64_t kSlack = 16;    // one part in so many of all: what threads at once may be above the bound
constexpr size_t kOfIndex = 320;  // what a key takes beside its node: the index's part, tables, the allocator's own

size_t count_of_shards(const Shelf::Settings& settings) {
  const auto fitting = settings.max_size / std::max<uint64_t>(4 * settings.max_object, 1);
  return std::clamp<uint64_t>(fitting, 1, 64);
}

/// Fills of one key at a time: of those who haven't seen a failure, or one, a single one.
size_t most_beside(unsigned failures) {
  return failures < 2 ? 1 : std::min(size_t{1} << std::min(failures - 1, 16U), Shelf::kMostBeside);
}

uint64_t any_number() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

}  // namespace

Shelf::Entry* Shelf::Node::best(RequestValues& request) const {
  Choices choices;
  forms.choose(request, choices);
  if (request.is_incomplete()) return nullptr;
  Entry* best = nullptr;
  for (const auto& [choice, entry] : entries) {
    if (!choices.has(choice) || request.compare(entry->object->selection) != RequestValues::Match::yes) continue;
    if (!best || entry->object->terms.born >= best->object->terms.born) best = entry.get();
  }
  return best;
}

Shelf::Entry* Shelf::Node::same(const Selection& selection) const {
  const auto choice = choice_of(selection);
  const auto found = std::ranges::find_if(
      entries, [&](const Slot& slot) { return slot.choice == choice && slot.entry->object->selection == selection; });
  return found == entries.end() ? nullptr : found->entry.get();
}

Selection Shelf::Node::expected(RequestValues& request) const {
  std::vector<std::string_view> names;
  forms.add_names(names);
  if (fills) fills->add_names(names);
  std::ranges::sort(names);
  const auto repeated = std::ranges::unique(names);
  names.erase(repeated.begin(), repeated.end());
  Selection selection;
  for (const auto name : names) {
    if (const auto* const value = request.value_of(name))
      selection.members.push_back({std::string(name), std::string(value->text), value->is_absent});
  }
  return selection;
}

void Shelf::Shard::add(Node& node, std::unique_ptr<Entry> entry, size_t bytes) {
  entry->hash = node.hash;
  entry->bytes = static_cast<uint32_t>(
      std::min<size_t>(bytes + sizeof(Node) + sizeof(Entry) + node.text.size() + kOfIndex, UINT32_MAX));
  objects += entry->object ? 1 : 0;
  account.kept.fetch_add(entry->bytes, std::memory_order_relaxed);
  eviction.add(*entry);
  auto choice = Node::kNoChoice;
  if (entry->object) {
    choice = choice_of(entry->object->selection);
    node.forms.add(entry->object->selection);
  } else {
    node.uncacheable = entry.get();
  }
  node.entries.push_back({choice, std::move(entry)});
}

void Shelf::Shard::remove(Entry& entry) {
  objects -= entry.object ? 1 : 0;
  if (entry.object && (entry.object.use_count() > 1 || entry.object->content.use_count() > 1)) {
    entry.object->content->leave_shelf();  // else it goes with the entry, and was never loose
  }
  account.kept.fetch_sub(entry.bytes, std::memory_order_relaxed);
  eviction.remove(entry);
  Node& node = entry.node;
  if (entry.object) node.forms.remove(entry.object->selection);
  else node.uncacheable = nullptr;
  std::erase_if(node.entries, [&](const Node::Slot& slot) { return slot.entry.get() == &entry; });
}

Shelf::Shelf(const Settings& settings) : settings_(settings), seed_(any_number()) {
  const auto count = count_of_shards(settings);
  for (size_t i = 0; i < count; ++i) shards_.push_back(std::make_unique<Shard>(settings.max_size / count, *account_));
}

Shelf::~Shelf() = default;

Shelf::Key Shelf::key_of(std::string_view text) const { return {text, hash(text, seed_)}; }

Shelf::Shard& Shelf::shard_of(const Key& key) const { return *shards_[mix(key.hash) % shards_.size()]; }

Shelf::Found Shelf::find(const Key& key, const http::Headers& request, Arena& arena, Time now) {
  Shard& shard = shard_of(key);
  RequestValues values(request, arena);
  for (;; values.learn()) {
    const std::lock_guard lock(shard.mutex);
    auto found = find_in(shard, key, values, now);
    if (!values.is_incomplete()) return found;
  }
}

Shelf::Found Shelf::find_in(Shard& shard, const Key& key, RequestValues& request, Time now) {
  Found found;
  Node* const node = shard.find(key);
  if (!node) return found;
  const Entry* const uncacheable = node->uncacheable;
  found.is_uncacheable = uncacheable && uncacheable->uncacheable_until > now;
  found.is_known = node->entries.size() > (uncacheable ? 1 : 0);
  Entry* const best = node->best(request);
  if (!best || request.is_incomplete()) return found;
  Eviction::use(*best);
  found.object = best->object;
  return found;
}

Shelf::Joined Shelf::join(const Key& key, const http::Headers& request, Arena& arena, const Want& want) {
  Shard& shard = shard_of(key);
  RequestValues values(request, arena);
  for (;; values.learn()) {
    const std::lock_guard lock(shard.mutex);
    if (auto joined = join_in(shard, key, values, want)) return std::move(*joined);
  }
}

std::optional<Shelf::Joined> Shelf::join_in(Shard& shard, const Key& key, RequestValues& request, const Want& want) {
  Node& node = shard.find_or_make(key);
  const Entry* const best = node.best(request);
  if (request.is_incomplete()) return std::nullopt;
  if (best && best->object != want.known && best->object->is_fresh(want.now)) return Joined{.object = best->object};
  const auto [open, count] = node.fills ? open_fill(*node.fills, want, request) : std::pair<FillPtr, size_t>();
  if (request.is_incomplete()) return std::nullopt;
  const bool may_lead = !open || (!open->outcome() && count < most_beside(want.failures));
  if (!may_lead) return Joined{.fill = open, .attendee = Attendee(open->attendance)};
  auto expected = node.expected(request);
  if (request.is_incomplete()) return std::nullopt;
  auto fill = std::make_shared<Fill>(std::move(expected), want.now, want.purges_seen(), Fill::Company::yes);
  node.make_fills().add(fill);
  return Joined{.fill = fill, .attendee = Attendee(fill->attendance), .leads = true};
}

std::pair<FillPtr, size_t> Shelf::open_fill(const FillTable& fills, const Want& want, RequestValues& request) {
  std::pair<FillPtr, size_t> found;
  fills.visit_choosable(request, [&](const FillPtr& fill) {
    if (!is_open(*fill, want, request)) return true;
    ++found.second;
    const bool has_outcome = fill->outcome().has_value();
    if (has_outcome || !found.first || fill->attendance->count() < found.first->attendance->count()) found.first = fill;
    return !has_outcome;
  });
  return found;
}

/// Will it serve such a request? Purges are asked last: that takes a hash of the whole URL.
bool Shelf::is_open(const Fill& fill, const Want& want, RequestValues& request) {
  if (fill.company == Fill::Company::no) return false;
  const auto selects = [&](const Selection& selection) {
    return request.compare(selection) == RequestValues::Match::yes;
  };
  const auto outcome = fill.outcome();
  std::span<const uint64_t> tags;
  if (!outcome) {
    if (fill.is_dismissed()) return false;
    if (fill.began < want.oldest || !selects(fill.expected)) return false;
  } else {
    const auto& object = outcome->object;
    if (!object || want.is_particular || !object->is_fresh(want.now) || object->terms.always_revalidate) return false;
    if (!selects(object->selection)) return false;
    tags = object->tags;
  }
  return !want.purges || want.purges->judge(fill.purges_seen, want.url, tags) == Purges::Verdict::keep;
}

FillPtr Shelf::begin_alone(const Key& key, const Want& want) {
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  auto fill = std::make_shared<Fill>(Selection(), want.now, want.purges_seen(), Fill::Company::no);
  shard.find_or_make(key).make_fills().add(fill);
  return fill;
}

void Shelf::settle(const Key& key, const FillPtr& fill, Fill::Outcome outcome) {
  fill->settle(std::move(outcome));
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  const Node* const node = shard.find(key);
  if (node && node->fills) node->fills->settled(fill);
}

void Shelf::end(const Key& key, const FillPtr& fill) {
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  shard.end(key, fill);
}

bool Shelf::abandon(const Key& key, const FillPtr& fill) {
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  if (!fill->attendance->is_empty()) return false;
  shard.end(key, fill);
  return true;
}

void Shelf::put(const Key& key, ObjectPtr object, const Fill& fill) {
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  if (fill.is_outdated) return;
  Node& node = shard.find_or_make(key);
  Entry* const same = node.same(object->selection);
  if (same && same->object->received > object->received) return;
  if (!object->content->enter_shelf()) return shard.drop_if_empty(node);
  const size_t bytes = object->overhead() + object->content->footprint();
  if (same) shard.remove(*same);
  if (node.uncacheable) shard.remove(*node.uncacheable);
  while (node.entries.size() >= settings_.max_variants) shard.remove(*node.entries.front().entry);
  while (!node.forms.has_room_for(object->selection)) shard.remove(*node.entries.front().entry);
  shard.add(node, std::make_unique<Entry>(node, std::move(object)), bytes);
  make_room(shard);
}

void Shelf::remember_uncacheable(const Key& key, Time until) {
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  Node& node = shard.find_or_make(key);
  if (Entry* const known = node.uncacheable) {
    known->uncacheable_until = until;
    return;
  }
  auto entry = std::make_unique<Entry>(node, nullptr);
  entry->uncacheable_until = until;
  shard.add(node, std::move(entry), sizeof(Entry));
  make_room(shard);
}

void Shelf::make_room(Shard& shard) {
  const auto room = [&] { return static_cast<size_t>(std::clamp<int64_t>(loose(), 0, most_loose())) / shards_.size(); };
  while (auto* const item = shard.eviction.evict(room())) {
    Entry& entry = static_cast<Entry&>(*item);
    Node& node = entry.node;
    shard.evictions += entry.object ? 1 : 0;
    shard.remove(entry);
    shard.drop_if_empty(node);
  }
}

bool Shelf::make_room(Time now) {
  if (is_tight()) account_->bodies.drop_slowest(now, loose() - most_loose() / 2);
  if (is_tight()) return false;
  const auto most = static_cast<int64_t>(settings_.max_size);
  for (size_t i = 0; i < shards_.size() && account_->total() > most; ++i) {
    Shard& shard = *shards_[next_.fetch_add(1, std::memory_order_relaxed) % shards_.size()];
    const std::lock_guard lock(shard.mutex);
    make_room(shard);
  }
  return account_->total() <= most + most / kSlack;
}

bool Shelf::invalidate(const Key& key) {
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  Node* const node = shard.find(key);
  if (!node) return false;
  if (node->fills) node->fills->outdate_all();
  node->fills.reset();
  while (!node->entries.empty()) shard.remove(*node->entries.back().entry);
  shard.drop_if_empty(*node);
  return true;
}

void Shelf::drop(const Key& key, const ObjectPtr& object) {
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  Node* const node = shard.find(key);
  if (!node) return;
  const auto found =
      std::ranges::find_if(node->entries, [&](const Node::Slot& slot) { return slot.entry->object == object; });
  if (found == node->entries.end()) return;
  shard.remove(*found->entry);
  shard.drop_if_empty(*node);
}

std::expected<Shelf::Refresh, Shelf::NoRefresh> Shelf::begin_refresh(const ObjectPtr& object, std::string_view client) {
  if (object->is_refreshing.exchange(true)) return std::unexpected(NoRefresh::under_way);
  Refresh refresh(object);
  refresh.place_ = refreshes_.enter(client, Refresh::kMost);
  if (!refresh.place_) return std::unexpected(NoRefresh::too_many);
  return refresh;
}

Shelf::Size Shelf::size() const {
  Size size;
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard->mutex);
    size.objects += shard->objects;
    size.bytes += shard->eviction.bytes();
    size.evictions += shard->evictions;
  }
  return size;
}

}  // namespace weir::plugins
