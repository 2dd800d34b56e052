#pragma once

#include <optional>

#include "exchange/arena_list.h"
#include "exchange/body.h"
#include "exchange/stored_body.h"

namespace weir {

/// What has gone by of a request's body, up to `limit` bytes, and the rest of it: what a ReplayBody reads. Of one that
/// is announced larger nothing is kept. However small the pieces are in which the body comes, it takes at most twice
/// the body's size. Of a body that is stored already nothing is kept either: it can be had again, whatever its size.
class ReplayBuffer {
 public:
  ReplayBuffer(Arena& arena, BodyPtr source, size_t limit);

  struct Position {
    size_t part = 0;
    size_t offset = 0;  // bytes into the part
  };
  /// The bytes at `position`, which moves on.
  Task<Result<Chunk>> next(Position& position);
  http::BodySize size() const { return source_->size(); }
  bool is_exact() const { return source_->is_exact(); }
  std::optional<Error> overdue() const { return source_->overdue(); }
  /// All that was read can be had again.
  bool can_replay() const { return stored_ || !is_lost_; }
  /// All of the body can.
  bool is_whole() const { return stored_ || (!is_lost_ && has_ended_); }
  /// Where the body is stored; null: nowhere.
  const std::shared_ptr<StoredBody>& stored() const { return stored_; }
  /// What was read, as one text in `arena`.
  std::string_view text(Arena& arena) const;
  const http::Headers* trailers() const { return trailers_; }
  /// Nobody reads from it, or from those behind it, any more.
  void forget();
  Arena* frame_arena() const { return &arena_; }

  /// The buffer that this one reads from, or null: who keeps one keeps the other.
  InArena<ReplayBuffer> outer;

 private:
  struct Part {
    char* bytes;
    size_t size;
    size_t room;
    std::string_view text() const { return {bytes, size}; }
  };
  void keep(std::string_view data);
  void add_part(size_t wanted);
  std::string_view kept_at(Position& position) const;

  Arena& arena_;
  BodyPtr source_;
  std::shared_ptr<StoredBody> stored_;
  size_t limit_;
  size_t bytes_ = 0;
  bool is_lost_ = false;
  bool has_ended_ = false;
  std::optional<Error> error_;
  http::Headers* trailers_ = nullptr;
  ArenaList<Part> parts_;
};

/// A request's body that can be read again from its start while its buffer has all that has gone by. The buffer
/// outlives it; one at a time reads from a buffer that isn't whole.
class ReplayBody final : public Body {
 public:
  ReplayBody(Arena& arena, ReplayBuffer& buffer) : Body(arena), buffer_(buffer) {
    if (buffer.stored()) reader_.emplace(arena, buffer.stored());
  }

  Task<Result<Chunk>> read() override { return reader_ ? reader_->read() : buffer_.next(position_); }
  http::BodySize size() const override { return buffer_.size(); }
  bool is_exact() const override { return buffer_.is_exact(); }
  bool rewind() override {
    position_ = {};
    return reader_ ? reader_->rewind() : buffer_.can_replay();
  }
  std::optional<Error> overdue() const override { return reader_ ? reader_->overdue() : buffer_.overdue(); }
  void forget() override {
    if (reader_) reader_->forget();
  }
  const std::shared_ptr<StoredBody>& stored() const { return buffer_.stored(); }

 private:
  ReplayBuffer& buffer_;
  std::optional<StoredBodyReader> reader_;  // in place of the buffer, of a body that is stored
  ReplayBuffer::Position position_;
};

/// A whole body, in the arena.
class KeptBody final : public Body {
 public:
  KeptBody(Arena& arena, std::string_view text, http::BodySize size, http::Headers* trailers)
      : Body(arena), text_(text), size_(size), trailers_(trailers) {}

  Task<Result<Chunk>> read() override;
  http::BodySize size() const override { return size_; }
  bool is_exact() const override { return true; }
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
