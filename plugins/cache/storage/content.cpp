#include "plugins/cache/storage/content.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

namespace weir::plugins {

namespace {

constexpr size_t kFirst = 4 * 1024;
constexpr size_t kLargest = 64 * 1024;
constexpr size_t kMostDropped = 64;  // parts that are remembered though their bytes are gone

constexpr int64_t kPassing = 3 * kLargest;  // the part that is read, the one that comes, and one between
constexpr Duration kPatience = std::chrono::seconds(10);

constexpr Error kStalled{ErrorCode::client_gone, Side::client, "memory was short, and it was read too slowly"};
constexpr Error kCutOff{ErrorCode::client_gone, Side::client, "it held up all others who read the same"};

}  // namespace

// What it takes.

Content::~Content() {
  if (!account_) return;
  account_->bodies.remove(*this);
  if (entries_ == 0) account_->loose.fetch_sub(charged_, std::memory_order_relaxed);
}

void Content::charge_to(std::shared_ptr<Account> account) {
  account_ = std::move(account);
  charge();
  account_->bodies.add(*this);
}

int64_t Content::charged() const {
  const std::lock_guard lock(mutex_);
  return charged_;
}

void Content::charge() {
  if (!account_) return;
  const auto charge = std::max<int64_t>(static_cast<int64_t>(footprint()) - allowance_, 0);
  account_->loose.fetch_add(charge - std::exchange(charged_, charge), std::memory_order_relaxed);
}

/// Only while it comes or passes: what is on the shelf never changes.
void Content::grow(int64_t bytes) {
  footprint_.fetch_add(static_cast<size_t>(bytes), std::memory_order_relaxed);
  charge();
}

bool Content::enter_shelf() {
  if (entries_ == 0 && account_) account_->bodies.remove(*this);
  if (state() == State::broken) return false;
  if (entries_++ > 0 || !account_) return true;
  account_->loose.fetch_sub(std::exchange(charged_, 0), std::memory_order_relaxed);
  return true;
}

void Content::leave_shelf() {
  if (--entries_ > 0 || !account_) return;
  charge();
  account_->bodies.add(*this);
}

// Filling.

/// Parts are as large as what is still announced; without that each is twice the one before.
void Content::add_part(size_t wanted) {
  size_t capacity = parts_.empty() ? kFirst : 2 * size_t{parts_.back().capacity};
  if (announced_ && *announced_ > size_) capacity = *announced_ - size_;
  else capacity = std::max(capacity, wanted);
  capacity = std::min(capacity, kLargest);
  parts_.push_back({std::make_shared_for_overwrite<char[]>(capacity), size_, 0, static_cast<uint32_t>(capacity)});
  grow(static_cast<int64_t>(capacity));
}

void Content::append(std::string_view bytes) {
  {
    const std::lock_guard lock(mutex_);
    if (state() == State::broken) return;
    while (!bytes.empty()) {
      if (parts_.empty() || parts_.back().size == parts_.back().capacity) add_part(bytes.size());
      Part& part = parts_.back();
      const auto piece = bytes.substr(0, part.capacity - part.size);
      std::memcpy(part.bytes.get() + part.size, piece.data(), piece.size());
      part.size += static_cast<uint32_t>(piece.size());
      size_ += piece.size();
      bytes.remove_prefix(piece.size());
    }
    if (is_passing_ && holders_ == 0) drop_what_is_read();
  }
  changed.notify();
}

/// Gives back the room that the last part doesn't need. Whoever reads it keeps the old one.
void Content::trim() {
  if (parts_.empty()) return;
  Part& last = parts_.back();
  if (last.capacity - last.size < last.capacity / 16) return;
  auto exact = std::make_shared_for_overwrite<char[]>(last.size);
  std::memcpy(exact.get(), last.bytes.get(), last.size);
  grow(int64_t{last.size} - int64_t{last.capacity});
  last.bytes = std::move(exact);
  last.capacity = last.size;
}

void Content::finish(Exact exact) {
  is_exact_.store(exact == Exact::yes, std::memory_order_relaxed);
  end(State::whole);
}

void Content::fail(const Error& error) {
  {
    const std::lock_guard lock(mutex_);
    error_ = error;
  }
  end(State::broken);
}

void Content::end(State state) {
  {
    const std::lock_guard lock(mutex_);
    if (this->state() == State::broken) return;
    if (state == State::whole && !is_passing_) trim();
    state_.store(state, std::memory_order_release);
  }
  changed.notify();
}

// Passing.

/// What it takes from here on at the narrowest, it would take without a cache, too: those who read it, however many and
/// however slow, leave others the room to have theirs stored.
void Content::let_pass() {
  const std::lock_guard lock(mutex_);
  is_passing_ = true;
  allowance_ = kPassing;
  charge();
  drop_what_is_read();
}

void Content::drop_what_is_read() {
  uint64_t read = was_read_ ? size_ : 0;
  for (const Reader* reader : readers_) read = std::min(read, reader->at_);
  for (; dropped_ < parts_.size(); ++dropped_) {
    Part& part = parts_[dropped_];
    if (part.first + part.capacity > read) break;
    grow(-int64_t{part.capacity});
    part.bytes.reset();
    passed_ = part.first + part.capacity;
  }
  if (dropped_ >= kMostDropped) {
    parts_.erase(parts_.begin(), parts_.begin() + ptrdiff_t{kMostDropped - 1});
    dropped_ -= kMostDropped - 1;
  }
  held_until_ = dropped_ < parts_.size() ? parts_[dropped_].first + parts_[dropped_].capacity : 0;
  holders_ = static_cast<size_t>(
      std::ranges::count_if(readers_, [&](const Reader* reader) { return reader->at_ < held_until_; }));
}

std::optional<uint64_t> Content::backlog() const {
  const std::lock_guard lock(mutex_);
  if (readers_.empty()) return std::nullopt;
  uint64_t read = size_;
  for (const Reader* reader : readers_) read = std::min(read, reader->at_);
  return size_ - read;
}

void Content::watch_readers() {
  const std::lock_guard lock(mutex_);
  for (Reader* reader : readers_) reader->watched_from_ = reader->at_;
}

bool Content::cut_off(uint64_t bytes, uint64_t least) {
  const std::lock_guard lock(mutex_);
  const auto is_behind = [&](const Reader* reader) { return reader->at_ + bytes < size_; };
  if (std::ranges::all_of(readers_, is_behind)) return false;
  const auto is_cut_off = [&](Reader* reader) {
    return reader->is_cut_off_ = is_behind(reader) && reader->at_ - reader->watched_from_ < least;
  };
  const bool has_cut = std::erase_if(readers_, is_cut_off) > 0;
  drop_what_is_read();
  return has_cut;
}

std::optional<double> Content::pace(Time now) {
  const std::lock_guard lock(mutex_);
  const bool waits_for_readers = state() == State::whole || (is_passing_ && state() == State::growing);
  if (!waits_for_readers || paced_since_ == Time::min()) {
    pace_.reset();
    paced_since_ = now;
    taken_before_ = taken_;
  } else if (now - paced_since_ >= kPatience) {
    paced_since_ = now;
    const auto taken = static_cast<double>(taken_ - std::exchange(taken_before_, taken_));
    pace_ = taken / static_cast<double>(std::max<size_t>(footprint(), 1));
  }
  return pace_;
}

void Content::drop() {
  {
    const std::lock_guard lock(mutex_);
    if (state() == State::broken) return;
    grow(-static_cast<int64_t>(footprint()));
    parts_.clear();
    dropped_ = holders_ = 0;
    held_until_ = 0;
    error_ = kStalled;
    state_.store(State::broken, std::memory_order_release);
  }
  changed.notify();
  drained.notify();
}

// Reading.

Content::Reader::Reader(Content& content, uint64_t first) : content_(content), at_(first) {
  if (content.state() == State::whole && !content.is_passing_.load(std::memory_order_relaxed)) return;
  {
    const std::lock_guard lock(content.mutex_);
    is_listed_ = true;
    content.was_read_ = true;
    has_missed_ = first < content.passed_;
    place_ = content.readers_.insert(content.readers_.end(), this);
    content.holders_ += at_ < content.held_until_;
  }
  if (content.attendance_) content.attendance_->enter();
  content.drained.notify();
}

Content::Reader::~Reader() {
  if (!is_listed_) return;
  {
    const std::lock_guard lock(content_.mutex_);
    if (!is_cut_off_) {
      content_.readers_.erase(place_);
      const bool was_last = at_ < content_.held_until_ && --content_.holders_ == 0;
      if (was_last && !content_.readers_.empty()) content_.drop_what_is_read();
    }
  }
  content_.drained.notify();
  if (content_.attendance_) content_.attendance_->leave();
}

Error Content::Reader::error() const {
  const std::lock_guard lock(content_.mutex_);
  return is_cut_off_ ? kCutOff : *content_.error_;
}

Content::Piece Content::Reader::next(uint64_t most) {
  Piece piece;
  bool passes = false;
  {
    const std::lock_guard lock(content_.mutex_);
    if (is_cut_off_) return {nullptr, {}, State::broken};
    piece = content_.look(at_, most);
    content_.taken_ += piece.bytes.size();
    if (!is_listed_) {
      at_ += piece.bytes.size();
      return piece;
    }
    const bool was_holder = at_ < content_.held_until_;
    at_ += piece.bytes.size();
    passes = content_.is_passing_;
    if (was_holder && at_ >= content_.held_until_ && --content_.holders_ == 0) content_.drop_what_is_read();
  }
  if (passes && !piece.bytes.empty()) content_.drained.notify();
  return piece;
}

Content::Piece Content::look(uint64_t at, uint64_t most) const {
  Piece piece{nullptr, {}, state_.load(std::memory_order_relaxed)};
  if (at >= size_ || parts_.empty()) return piece;
  auto part = std::ranges::upper_bound(parts_, at, {}, &Part::first);
  --part;  // the last that begins at or before it
  const auto offset = at - part->first;
  piece.owner = part->bytes;
  piece.bytes = std::string_view(part->bytes.get() + offset, std::min<uint64_t>(part->size - offset, most));
  return piece;
}

}  // namespace weir::plugins
