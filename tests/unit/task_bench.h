#pragma once

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

#include "exchange/body.h"

namespace weir {

/// The result of a task that needs no waiting.
template <class T>
T finished(Task<T> task) {
  REQUIRE(task.start());
  return task.take();
}

/// The next chunk's bytes; "(end)" or "(error NAME)" when it is none.
inline std::string next_of(Body& body) {
  const auto chunk = finished(body.read());
  if (!chunk) return "(error " + std::string(name_of(chunk.error().code)) + ")";
  return chunk->is_end ? "(end)" : std::string(chunk->data.view());
}

/// A body of the pieces that a test gives it; then its error, or its end.
class PiecesBody : public Body {
 public:
  PiecesBody(Arena& arena, std::vector<std::string> pieces) : Body(arena), pieces_(std::move(pieces)) {}
  Task<Result<Chunk>> read() override {
    ++reads;
    if (next_ == pieces_.size() && error) co_return std::unexpected(*error);
    if (next_ == pieces_.size()) co_return Chunk::end(trailers);
    co_return Chunk{Slice::literal(pieces_[next_++])};
  }
  http::BodySize size() const override { return http::BodySize::unknown(); }
  bool is_exact() const override { return true; }

  int reads = 0;
  std::optional<Error> error;
  http::Headers* trailers = nullptr;

 private:
  std::vector<std::string> pieces_;
  size_t next_ = 0;
};

}  // namespace weir
