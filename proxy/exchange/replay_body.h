#pragma once

#include <optional>

#include "exchange/arena_list.h"
#include "exchange/body.h"

namespace weir {

/// What has gone by of a request's body, up to `limit` bytes, and the rest of it: what a ReplayBody reads. Of one that
/// is announced larger nothing is kept.
class ReplayBuffer {
 public:
  ReplayBuffer(Arena& arena, BodyPtr source, size_t limit);

  /// The chunk at `position` (in chunks), which moves on.
  Task<Result<Chunk>> next(size_t& position);
  http::BodySize size() const { return source_->size(); }
  /// All that was read can be had again.
  bool can_replay() const { return !is_lost_; }
  /// All of the body can.
  bool is_whole() const { return !is_lost_ && has_ended_; }
  /// What was read, as one text in `arena`.
  std::string_view text(Arena& arena) const;
  const http::Headers* trailers() const { return trailers_; }
  Arena* frame_arena() const { return &arena_; }

  /// The buffer that this one reads from, or null: who keeps one keeps the other.
  InArena<ReplayBuffer> outer;

 private:
  void keep(const Slice& data);

  Arena& arena_;
  BodyPtr source_;
  size_t limit_;
  size_t bytes_ = 0;
  bool is_lost_ = false;
  bool has_ended_ = false;
  std::optional<Error> error_;
  http::Headers* trailers_ = nullptr;
  ArenaList<std::string_view> kept_;
};

/// A request's body that can be read again from its start while its buffer has all that has gone by. The buffer
/// outlives it; one at a time reads from a buffer that isn't whole.
class ReplayBody final : public Body {
 public:
  ReplayBody(Arena& arena, ReplayBuffer& buffer) : Body(arena), buffer_(buffer) {}

  Task<Result<Chunk>> read() override { return buffer_.next(position_); }
  http::BodySize size() const override { return buffer_.size(); }
  bool rewind() override {
    position_ = 0;
    return buffer_.can_replay();
  }

 private:
  ReplayBuffer& buffer_;
  size_t position_ = 0;
};

/// A whole body, in the arena.
class KeptBody final : public Body {
 public:
  KeptBody(Arena& arena, std::string_view text, http::BodySize size, http::Headers* trailers)
      : Body(arena), text_(text), size_(size), trailers_(trailers) {}

  Task<Result<Chunk>> read() override;
  http::BodySize size() const override { return size_; }
  bool rewind() override {
    is_read_ = false;
    return true;
  }

 private:
  std::string_view text_;
  http::BodySize size_;
  http::Headers* trailers_;
  bool is_read_ = false;
};

}  // namespace weir
