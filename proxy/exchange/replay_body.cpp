#include "exchange/replay_body.h"

#include <algorithm>
#include <cstring>

#include "base/arena_text.h"

// Pieces are gathered in parts, each as large as all before it: parts never move, since readers hold views of them.

namespace weir {

namespace {

constexpr size_t kFirstPart = 256;
constexpr size_t kLargestPart = 64 * 1024;

std::shared_ptr<StoredBody> stored_in(const Body& body) {
  if (const auto* reader = dynamic_cast<const StoredBodyReader*>(&body)) return reader->stored();
  if (const auto* replay = dynamic_cast<const ReplayBody*>(&body)) return replay->stored();
  return nullptr;
}

}  // namespace

ReplayBuffer::ReplayBuffer(Arena& arena, BodyPtr source, size_t limit)
    : arena_(arena), source_(std::move(source)), stored_(stored_in(*source_)), limit_(limit), parts_(arena) {
  const auto size = source_->size();
  if (size.kind == http::BodySize::Kind::known && size.bytes > limit) limit_ = 0;
}

Task<Result<Chunk>> ReplayBuffer::next(Position& position) {
  if (const auto kept = kept_at(position); !kept.empty()) co_return Chunk{Slice::literal(kept)};
  if (has_ended_) co_return Chunk::end(trailers_);
  if (error_) co_return std::unexpected(*error_);
  auto chunk = co_await source_->read();
  if (!chunk) {
    error_ = chunk.error();
  } else if (chunk->is_end) {
    has_ended_ = true;
    trailers_ = chunk->trailers;
  } else {
    keep(chunk->data.view());
    if (!parts_.empty()) position = {parts_.size() - 1, parts_.back().size};
  }
  co_return chunk;
}

/// The rest of the part at `position`, which moves behind it; empty at the end of what was kept.
std::string_view ReplayBuffer::kept_at(Position& position) const {
  for (; position.part < parts_.size(); position = {position.part + 1, 0}) {
    const auto rest = parts_[position.part].text().substr(position.offset);
    position.offset += rest.size();
    if (!rest.empty()) return rest;
    if (position.part + 1 == parts_.size()) break;  // it may still grow
  }
  return {};
}

void ReplayBuffer::keep(std::string_view data) {
  bytes_ += data.size();
  is_lost_ = is_lost_ || bytes_ > limit_;
  if (is_lost_) return;
  while (!data.empty()) {
    if (parts_.empty() || parts_.back().size == parts_.back().room) add_part(data.size());
    auto& part = parts_.back();
    const auto piece = data.substr(0, part.room - part.size);
    std::memcpy(part.bytes + part.size, piece.data(), piece.size());
    part.size += piece.size();
    data.remove_prefix(piece.size());
  }
}

/// A body whose size is known gets no more room than its rest needs.
void ReplayBuffer::add_part(size_t wanted) {
  size_t kept = 0;
  for (const auto& part : parts_) kept += part.size;
  size_t room = std::max(wanted, std::clamp(kept, kFirstPart, kLargestPart));
  const auto size = source_->size();
  if (size.kind == http::BodySize::Kind::known) room = std::min<uint64_t>(room, std::max(size.bytes - kept, wanted));
  parts_.add({static_cast<char*>(arena_.bump(room, 1)), 0, room});
}

void ReplayBuffer::forget() {
  is_lost_ = true;
  stored_.reset();
  source_->forget();
  if (outer) outer->forget();
}

std::string_view ReplayBuffer::text(Arena& arena) const {
  size_t size = 0;
  for (const auto& part : parts_) size += part.size;
  ArenaText text(arena, size);
  for (const auto& part : parts_) text << part.text();
  return text.text();
}

Task<Result<Chunk>> KeptBody::read() {
  if (is_read_ || text_.empty()) co_return Chunk::end(trailers_);
  is_read_ = true;
  co_return Chunk{Slice::literal(text_)};
}

}  // namespace weir
