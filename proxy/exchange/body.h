#pragma once

#include <memory>
#include <optional>

#include "async/task.h"
#include "base/buffer.h"
#include "base/result.h"
#include "http/message.h"

namespace weir {

class Backlog;

namespace net {
class SplicePipe;
}

/// One step of a body: bytes, or its end (then perhaps with trailers).
struct Chunk {
  Slice data;
  net::SplicePipe* spliced = nullptr;  // the pipe's whole content, instead of `data`; only after `allow_splice`
  bool is_end = false;
  http::Headers* trailers = nullptr;

  static Chunk end(http::Headers* trailers = nullptr) { return {{}, nullptr, true, trailers}; }
};

/// Bytes that a reader pulls: without a read nothing is received (back-pressure). The destructor gives up undelivered
/// bytes, and so cancels an upstream's response. One thread, one reader.
class Body {
 public:
  explicit Body(Arena& arena) : arena_(&arena) {}
  Body(const Body&) = delete;
  Body& operator=(const Body&) = delete;
  virtual ~Body() = default;

  /// The next chunk: never empty bytes. Not called again after an end or an Error.
  virtual Task<Result<Chunk>> read() = 0;
  /// The announced size; `none` for no body at all.
  virtual http::BodySize size() const = 0;
  /// The reader also takes chunks that the kernel holds, and drains each before the next `read`. A wrapper does not
  /// pass the call on, because a wrapper has to see the bytes.
  virtual void allow_splice() {}
  /// From here on the response is read for a client of a multiplexed connection; null: for any other client. Only
  /// bodies that read ahead use the backlog.
  virtual void limit_by(Backlog*) {}
  /// After the end: no stray bytes followed the body on its connection. A body with stray bytes behind it may belong to
  /// another response (desynchronisation), and is not stored. Wrappers return the wrapped body's result.
  virtual bool is_exact() const = 0;
  /// Returns to the start. False when bytes that were taken cannot be read again.
  virtual bool rewind() { return false; }
  /// Called when a read under way takes too long: the error when the read waits for Weir's own disk, nothing when the
  /// read waits for the body's sender. Wrappers of request bodies pass this call and `forget` on.
  virtual std::optional<Error> overdue() const { return std::nullopt; }
  /// No further read and no rewind will come: releases the kept bytes. The size stays known.
  virtual void forget() {}

  /// All of it in one piece (in the arena); body_too_large past `limit`.
  Task<Result<std::string_view>> whole(size_t limit);

  Arena* frame_arena() const { return arena_; }

 protected:
  Arena* arena_;
};

/// Lives in an arena: destroyed, not freed.
struct DestroyOnly {
  template <class T>
  void operator()(T* object) const {
    object->~T();
  }
};
template <class T>
using InArena = std::unique_ptr<T, DestroyOnly>;
using BodyPtr = InArena<Body>;

template <class T, class... Args>
InArena<T> make_in(Arena& arena, Args&&... args) {
  return InArena<T>(&arena.make<T>(std::forward<Args>(args)...));
}

/// No body, or the bytes of a text that lives as long as the arena.
class TextBody : public Body {
 public:
  TextBody(Arena& arena, std::string_view text) : Body(arena), text_(text) {}
  Task<Result<Chunk>> read() override;
  http::BodySize size() const override { return http::BodySize::known(text_.size()); }
  bool is_exact() const override { return true; }
  bool rewind() override {
    is_read_ = false;
    return true;
  }

 private:
  std::string_view text_;
  bool is_read_ = false;
};

class NoBody : public Body {
 public:
  explicit NoBody(Arena& arena) : Body(arena) {}
  Task<Result<Chunk>> read() override;
  http::BodySize size() const override { return http::BodySize::none(); }
  bool is_exact() const override { return true; }
  bool rewind() override { return true; }
};

}  // namespace weir
