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
  net::SplicePipe* spliced = nullptr;  // all that it holds instead of `data`; only after `allow_splice`
  bool is_end = false;
  http::Headers* trailers = nullptr;

  static Chunk end(http::Headers* trailers = nullptr) { return {{}, nullptr, true, trailers}; }
};

/// Bytes that are pulled: who does not read does not receive. Destroying a body gives up what it hasn't
/// delivered: an upstream's response is cancelled by it. One thread, one reader.
class Body {
 public:
  explicit Body(Arena& arena) : arena_(&arena) {}
  Body(const Body&) = delete;
  Body& operator=(const Body&) = delete;
  virtual ~Body() = default;

  /// The next chunk: never empty bytes. After an end or an Error it isn't called again.
  virtual Task<Result<Chunk>> read() = 0;
  /// As it was announced; `none` for no body at all.
  virtual http::BodySize size() const = 0;
  /// Whoever reads takes chunks that the kernel holds, too, and drains each before the next `read`. A body that
  /// wraps another doesn't pass this on: it has to see the bytes.
  virtual void allow_splice() {}
  /// From here on the response is read for a client of a multiplexed connection; null: for any other. Only what reads
  /// ahead listens.
  virtual void limit_by(Backlog*) {}
  /// After the end: the sender sent no bytes behind this body that belong to no message. Otherwise the body may be
  /// another one than the sender meant, and is not stored. A body that wraps another one asks that one.
  virtual bool is_exact() const = 0;
  /// Back to the start, when nothing has been taken yet or all that was can be had again; else false.
  virtual bool rewind() { return false; }
  /// A read under way is given up because it takes too long: whose doing that is, when it isn't the body's sender that
  /// is waited for. A body that wraps another one asks that one, as with `forget`.
  virtual std::optional<Error> overdue() const { return std::nullopt; }
  /// Nobody reads on, or again: lets go of what is kept for that, but for the size.
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
