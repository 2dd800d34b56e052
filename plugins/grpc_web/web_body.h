#pragma once

#include "exchange/body.h"
#include "plugins/grpc_web/base64.h"

namespace weir::plugins {

/// A request of `application/grpc-web-text`: reads base64 and returns the decoded bytes, a block at a time.
class DecodedRequest final : public Body {
 public:
  DecodedRequest(Arena& arena, BlockPool& blocks, BodyPtr text)
      : Body(arena), blocks_(blocks), text_(std::move(text)) {}

  Task<Result<Chunk>> read() override;
  http::BodySize size() const override { return http::BodySize::unknown(); }
  bool is_exact() const override { return text_->is_exact(); }
  bool rewind() override;
  std::optional<Error> overdue() const override { return text_->overdue(); }
  void forget() override { text_->forget(); }

 private:
  std::optional<Slice> decode_some();

  BlockPool& blocks_;
  BodyPtr text_;
  Slice rest_;  // of the last chunk
  Base64Decoder decoder_;
};

enum class Encoding : uint8_t { bytes, base64 };

/// Follows the messages of a gRPC body. A message is a flag, four bytes of length, and the bytes of that length (gRPC
/// over HTTP/2, Length-Prefixed-Message).
class MessageFrames {
 public:
  void pass(std::string_view bytes);
  bool is_between_messages() const { return prefix_bytes_ == 0 && left_ == 0; }

 private:
  uint32_t prefix_bytes_ = 0;  // of this message's five
  uint32_t length_ = 0;        // from the prefix bytes read so far
  uint32_t left_ = 0;          // bytes of the message
};

/// A gRPC response for the web: the messages, then the trailers as a last frame with the highest bit of the flag set.
/// Trailers in the middle of a message break the response off, because a client would read the frame as a part of the
/// message. In base64 each piece is padded, so that no piece waits for the next.
class WebAnswer final : public Body {
 public:
  WebAnswer(Arena& arena, BlockPool& blocks, BodyPtr body, Encoding encoding)
      : Body(arena), blocks_(blocks), body_(std::move(body)), encoding_(encoding) {}

  Task<Result<Chunk>> read() override;
  http::BodySize size() const override { return http::BodySize::unknown(); }
  bool is_exact() const override { return body_->is_exact(); }
  void limit_by(Backlog* backlog) override { body_->limit_by(backlog); }

 private:
  std::string_view frame(const http::Headers& trailers);
  Slice next_piece();

  BlockPool& blocks_;
  BodyPtr body_;
  Encoding encoding_;
  MessageFrames frames_;
  Slice rest_;            // of the last chunk, or of the trailers; these lie in the arena
  bool is_over_ = false;  // the body, not `rest_`
};

}  // namespace weir::plugins
