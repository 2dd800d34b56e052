#include "plugins/grpc_web/web_body.h"

#include <algorithm>

#include "base/arena_text.h"

namespace weir::plugins {

// What is asked for.

Task<Result<Chunk>> DecodedRequest::read() {
  for (;;) {
    if (rest_.empty()) {
      auto chunk = co_await text_->read();
      if (!chunk) co_return chunk;
      if (chunk->is_end && decoder_.is_whole()) co_return chunk;
      if (chunk->is_end) co_return fail(ErrorCode::bad_request, Side::client, "the base64 of the request is cut short");
      rest_ = std::move(chunk->data);
    }
    auto bytes = decode_some();
    if (!bytes) co_return fail(ErrorCode::bad_request, Side::client, "the request is not base64");
    if (!bytes->empty()) co_return Chunk{std::move(*bytes)};
  }
}

/// As much of `rest_` as fills a block.
std::optional<Slice> DecodedRequest::decode_some() {
  BlockRef block = blocks_.take();
  const auto text = rest_.view().substr(0, block->size);
  const auto size = decoder_.decode(text, block->bytes);
  if (!size) return std::nullopt;
  rest_.remove_prefix(text.size());
  if (rest_.empty()) rest_ = Slice();
  const std::string_view bytes(block->bytes, *size);
  return Slice(std::move(block), bytes);
}

bool DecodedRequest::rewind() {
  rest_ = Slice();
  decoder_ = Base64Decoder();
  return text_->rewind();
}

// What is answered.

void MessageFrames::pass(std::string_view bytes) {
  constexpr uint32_t kPrefix = 5;
  while (!bytes.empty()) {
    if (left_ > 0) {
      const auto some = std::min<size_t>(left_, bytes.size());
      left_ -= static_cast<uint32_t>(some);
      bytes.remove_prefix(some);
      continue;
    }
    length_ = length_ << 8 | static_cast<uint8_t>(bytes.front());  // the flag is shifted out
    bytes.remove_prefix(1);
    if (++prefix_bytes_ < kPrefix) continue;
    left_ = std::exchange(length_, 0);
    prefix_bytes_ = 0;
  }
}

Task<Result<Chunk>> WebAnswer::read() {
  if (rest_.empty()) {
    if (is_over_) co_return Chunk::end();
    auto chunk = co_await body_->read();
    if (!chunk) co_return chunk;
    is_over_ = chunk->is_end;
    if (is_over_ && !chunk->trailers) co_return Chunk::end();
    if (is_over_ && !frames_.is_between_messages())
      co_return fail(ErrorCode::protocol_error, Side::self, "the response ended in the middle of a gRPC message");
    if (!is_over_) frames_.pass(chunk->data.view());
    rest_ = is_over_ ? Slice::literal(frame(*chunk->trailers)) : std::move(chunk->data);
  }
  co_return Chunk{next_piece()};
}

/// PROTOCOL-WEB: a flag, four bytes of length, the fields as HTTP/1 has them.
std::string_view WebAnswer::frame(const http::Headers& trailers) {
  size_t size = 0;
  for (const auto& trailer : trailers) size += trailer.name.size() + trailer.value.size() + 4;
  const char head[] = {'\x80', static_cast<char>(size >> 24), static_cast<char>(size >> 16),
                       static_cast<char>(size >> 8), static_cast<char>(size)};
  ArenaText text(*arena_, sizeof head + size);
  text << std::string_view(head, sizeof head);
  for (const auto& trailer : trailers) text << trailer.name << ": " << trailer.value << "\r\n";
  return text.text();
}

/// Bytes that have a block go as they are.
Slice WebAnswer::next_piece() {
  if (encoding_ == Encoding::bytes && rest_.block()) return std::exchange(rest_, Slice());
  BlockRef block = blocks_.take();
  const auto piece = rest_.view().substr(0, block->size / 4 * 3);
  size_t size = piece.size();
  if (encoding_ == Encoding::base64) {
    size = encode_base64(piece, block->bytes);
  } else {
    std::ranges::copy(piece, block->bytes);
  }
  rest_.remove_prefix(piece.size());
  if (rest_.empty()) rest_ = Slice();
  const std::string_view bytes(block->bytes, size);
  return Slice(std::move(block), bytes);
}

}  // namespace weir::plugins
