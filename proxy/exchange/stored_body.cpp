#include "exchange/stored_body.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "async/offload.h"
#include "exchange/exchange.h"

// Bytes are gathered in blocks of the worker. When they pass the bound, they move into a file, and so do all that
// follow, piece by piece: while a piece is written nothing is read of the client, whose connection holds it back then.

namespace weir {

namespace {

constexpr size_t kPiece = 128 * 1024;  // bytes of a write

}  // namespace

StoredBody::StoredBody(WorkerContext& worker, std::shared_ptr<const BodyStorage> storage)
    : worker_(worker), storage_(std::move(storage)), arena_(worker.blocks) {}

/// To close a large file that has no name takes its time.
StoredBody::~StoredBody() {
  if (storage_->file_bytes) storage_->file_bytes->subtract(static_cast<int64_t>(in_file_));
  if (file_) offload_unattended(worker_.loop, [file = std::move(file_)]() mutable { file.reset(); });
}

Task<Result<>> StoredBody::fill(Body& source) {
  for (;;) {
    auto chunk = co_await source.read();
    if (!chunk) co_return std::unexpected(chunk.error());
    if (chunk->is_end) {
      if (chunk->trailers) trailers_ = chunk->trailers->copy(arena_, http::Headers::Deep::yes);
      break;
    }
    keep(chunk->data.view());
    if (in_blocks_ <= (file_ ? kPiece : storage_->memory)) continue;
    if (const int error = co_await write_out(source)) co_return fault(file_->is_open() ? "write" : "open", error);
  }
  if (!file_ || in_blocks_ == 0) co_return Result<>();
  if (const int error = co_await write_out(source)) co_return fault("write", error);
  co_return Result<>();
}

void StoredBody::keep(std::string_view data) {
  size_ += data.size();
  const size_t room = worker_.blocks.block_size();
  while (!data.empty()) {
    const size_t used = in_blocks_ % room;
    if (used == 0) blocks_.push_back(worker_.blocks.take());
    const auto piece = data.substr(0, room - used);
    std::memcpy(blocks_.back()->bytes + used, piece.data(), piece.size());
    in_blocks_ += piece.size();
    data.remove_prefix(piece.size());
  }
}

/// All that the blocks hold moves to the end of the file. The errno, or 0. The argument lends the frame.
Task<int> StoredBody::write_out(const Body&) {
  std::string text;
  text.reserve(in_blocks_);
  for (const auto& block : blocks_) text.append(block->bytes, std::min<size_t>(block->size, in_blocks_ - text.size()));
  blocks_.clear();
  in_blocks_ = 0;
  if (!file_) file_ = std::make_shared<TemporaryFile>();
  const size_t size = text.size();
  const int error = co_await offload(worker_.loop, [file = file_, folder = storage_->folder, text = std::move(text)] {
    if (!file->is_open()) {
      if (const int error = file->open(folder)) return error;
    }
    return file->append(text);
  });
  if (error) co_return error;
  in_file_ += size;
  if (storage_->file_bytes) storage_->file_bytes->add(static_cast<int64_t>(size));
  co_return 0;
}

std::unexpected<Error> StoredBody::fault(std::string_view step, int error) const {
  if (storage_->report) storage_->report({step, error});
  const bool is_reading = step == "read";
  return fail(ErrorCode::body_not_stored, Side::self,
              is_reading ? "the request body could not be read from its temporary file"
                         : "the request body could not be written to a temporary file");
}

Task<Result<Chunk>> StoredBodyReader::read() {
  auto& stored = *stored_;
  if (offset_ == stored.size()) {
    if (!stored.trailers()) co_return Chunk::end();
    co_return Chunk::end(&arena_->make<http::Headers>(stored.trailers()->copy(*arena_, http::Headers::Deep::yes)));
  }
  if (!stored.is_in_file()) co_return from_memory();
  co_return co_await from_file();
}

Chunk StoredBodyReader::from_memory() {
  const auto& stored = *stored_;
  const size_t room = stored.blocks_.front()->size;
  const auto& block = stored.blocks_[offset_ / room];
  const std::string_view bytes(block->bytes, std::min<uint64_t>(room, stored.size() - (offset_ / room) * room));
  const auto rest = bytes.substr(offset_ % room);
  offset_ += rest.size();
  return Chunk{Slice(block, rest)};
}

Task<Result<Chunk>> StoredBodyReader::from_file() {
  auto& worker = stored_->worker_;
  struct Piece {
    int error;
    std::string text;
  };
  const size_t size = worker.buffers.block_size();
  const auto piece = co_await offload(worker.loop, [file = stored_->file_, offset = offset_, size] {
    Piece piece;
    piece.error = file->read(offset, size, piece.text);
    return piece;
  });
  if (piece.error || piece.text.empty()) co_return stored_->fault("read", piece.error ? piece.error : EIO);
  auto block = worker.buffers.take();
  std::memcpy(block->bytes, piece.text.data(), piece.text.size());
  offset_ += piece.text.size();
  const std::string_view text(block->bytes, piece.text.size());
  co_return Chunk{Slice(std::move(block), text)};
}

}  // namespace weir
