#include "exchange/stored_body.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "exchange/exchange.h"

// Invariants. The body is gathered in blocks of the worker. Above the bound, these blocks and all later bytes move into
// a file, piece by piece. While a piece is written, no bytes of the client are read (back-pressure). A body has at most
// one piece at the disk, and each reader one, so the bound of calls in the DiskQueue also bounds the bytes.

namespace weir {

namespace {

constexpr size_t kPiece = 128 * 1024;  // bytes of a write, whole blocks

}  // namespace

StoredBody::StoredBody(WorkerContext& worker, std::shared_ptr<const BodyStorage> storage, std::string_view client)
    : worker_(worker), storage_(std::move(storage)), client_(client), arena_(worker.blocks) {}

/// Closing a large unlinked file takes long, so a thread of the disk closes the file.
StoredBody::~StoredBody() {
  storage_->file_bytes->subtract(static_cast<int64_t>(in_file_));
  if (!file_ || !file_->may_be_open()) return;
  storage_->disk->run_unattended(client_, [file = std::move(file_)]() mutable {
    file.reset();
    return 0;
  });
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
    if (!file_) {
      if (auto opened = co_await open(source); !opened) co_return opened;
    }
    do {
      if (auto written = co_await write_piece(source); !written) co_return written;
    } while (in_blocks_ >= kPiece);
  }
  while (file_ && in_blocks_ > 0) {
    if (auto written = co_await write_piece(source); !written) co_return written;
  }
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

DiskQueue::Call StoredBody::at_disk(DiskQueue::Work work) {
  return storage_->disk->run(worker_.loop, client_, std::move(work));
}

/// The argument's arena holds the coroutine frame.
Task<Result<>> StoredBody::open(const Body&) {
  auto file = std::make_shared<BodyFile>(*storage_, client_);
  if (!file->may_open()) co_return fault("files", EMFILE);
  file_ = std::move(file);
  const Presence call(*storage_->disk_calls);
  step_ = "open";
  const int error = co_await at_disk([file = file_] { return file->open(); });
  step_ = {};
  if (error) co_return fault("open", error);
  co_return Result<>();
}

/// Moves a piece from the blocks to the end of the file.
Task<Result<>> StoredBody::write_piece(const Body&) {
  const size_t size = std::min(in_blocks_, kPiece);
  std::string text;
  text.reserve(size);
  auto block = blocks_.begin();
  for (; text.size() < size; ++block)
    text.append((*block)->bytes, std::min<size_t>((*block)->size, size - text.size()));
  blocks_.erase(blocks_.begin(), block);
  in_blocks_ -= size;
  const Presence call(*storage_->disk_calls);
  step_ = "write";
  const int error = co_await at_disk([file = file_, text = std::move(text)] { return file->append(text); });
  step_ = {};
  if (error) co_return fault("write", error);
  in_file_ += size;
  storage_->file_bytes->add(static_cast<int64_t>(size));
  co_return Result<>();
}

std::optional<Error> StoredBody::overdue() const {
  if (step_.empty()) return std::nullopt;
  return fault(step_, ETIMEDOUT).error();
}

std::unexpected<Error> StoredBody::fault(std::string_view step, int error) const {
  const std::string_view cause = error == EBUSY ? "queue" : error == EDQUOT ? "bytes" : step;
  if (storage_->report) storage_->report({cause, error});
  if (cause == "files" || cause == "bytes" || cause == "queue")
    return fail(ErrorCode::body_not_stored, Side::self, "this client's request bodies have their share of the disk");
  return fail(ErrorCode::body_not_stored, Side::self,
              step == "read" ? "the request body could not be read from its temporary file"
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
  auto& stored = *stored_;
  auto& buffers = stored.worker_.buffers;
  const auto text = std::make_shared<std::string>();
  const Presence call(*stored.storage_->disk_calls);
  is_at_disk_ = true;
  const int error = co_await stored.at_disk([file = stored.file_, offset = offset_, size = buffers.block_size(), text] {
    return file->read(offset, size, *text);
  });
  is_at_disk_ = false;
  if (error || text->empty()) co_return stored.fault("read", error ? error : EIO);
  auto block = buffers.take();
  std::memcpy(block->bytes, text->data(), text->size());
  offset_ += text->size();
  const std::string_view bytes(block->bytes, text->size());
  co_return Chunk{Slice(std::move(block), bytes)};
}

std::optional<Error> StoredBodyReader::overdue() const {
  if (!is_at_disk_) return std::nullopt;
  return stored_->fault("read", ETIMEDOUT).error();
}

}  // namespace weir
