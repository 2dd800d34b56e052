#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "exchange/body.h"
#include "exchange/body_storage.h"

namespace weir {

struct WorkerContext;

/// A whole request body, in memory or in a temporary file. The readers share the ownership: the exchange, its forks,
/// and detached children, which may outlive the exchange. Used on one worker. Blocking calls run on the threads of the
/// disk's DiskQueue.
class StoredBody {
 public:
  /// `client`: the network whose share of files, bytes and calls the body takes.
  StoredBody(WorkerContext& worker, std::shared_ptr<const BodyStorage> storage, std::string_view client);
  StoredBody(const StoredBody&) = delete;
  StoredBody& operator=(const StoredBody&) = delete;
  ~StoredBody();

  /// Reads `source` to its end, before the first reader begins. Fails with body_not_stored for a fault of the file.
  Task<Result<>> fill(Body& source);
  /// After `fill` was cancelled: the error when `fill` waited for the disk; nothing when it waited for the source.
  std::optional<Error> overdue() const;

  uint64_t size() const { return size_; }
  bool is_in_file() const { return file_ != nullptr; }
  const http::Headers* trailers() const { return trailers_ ? &*trailers_ : nullptr; }

 private:
  friend class StoredBodyReader;
  void keep(std::string_view data);
  Task<Result<>> open(const Body& frames);
  Task<Result<>> write_piece(const Body& frames);
  DiskQueue::Call at_disk(DiskQueue::Work work);
  std::unexpected<Error> fault(std::string_view step, int error) const;

  WorkerContext& worker_;
  std::shared_ptr<const BodyStorage> storage_;
  const std::string client_;
  std::string_view step_;  // the call to the disk that `fill` waits for; "" = no call
  uint64_t size_ = 0;
  std::vector<BlockRef> blocks_;    // bytes not yet in the file; all blocks are full but the last
  size_t in_blocks_ = 0;            // bytes
  uint64_t in_file_ = 0;            // bytes
  std::shared_ptr<BodyFile> file_;  // owned by calls under way, too
  Arena arena_;                     // of the trailers
  std::optional<http::Headers> trailers_;
};

/// One reading of a stored body, from its start.
class StoredBodyReader final : public Body {
 public:
  StoredBodyReader(Arena& arena, std::shared_ptr<StoredBody> stored)
      : Body(arena), stored_(std::move(stored)), size_(stored_->size()) {}

  Task<Result<Chunk>> read() override;
  http::BodySize size() const override { return http::BodySize::known(size_); }
  bool is_exact() const override { return true; }
  bool rewind() override {
    offset_ = 0;
    is_at_disk_ = false;
    return stored_ != nullptr;
  }
  std::optional<Error> overdue() const override;
  void forget() override { stored_.reset(); }
  const std::shared_ptr<StoredBody>& stored() const { return stored_; }

 private:
  Chunk from_memory();
  Task<Result<Chunk>> from_file();

  std::shared_ptr<StoredBody> stored_;  // null: forgotten
  uint64_t size_;
  uint64_t offset_ = 0;
  bool is_at_disk_ = false;
};

}  // namespace weir
