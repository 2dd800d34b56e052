#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/temporary_file.h"
#include "exchange/body.h"
#include "exchange/filter_metrics.h"

namespace weir {

struct WorkerContext;

/// What all stored bodies of a route have in common.
struct BodyStorage {
  /// What failed with a file, by its word for metrics.
  struct Fault {
    std::string_view step;  // "open", "write", "read"
    int error;              // errno
  };

  size_t memory = 64 * 1024;  // bytes of a body that are kept in memory; a larger body goes into a file as a whole
  std::string folder = "/var/tmp";
  SharedCount* file_bytes = nullptr;         // gauge: in files now
  std::function<void(const Fault&)> report;  // of each fault; may be empty
};

/// A request's body that was read to its end, in memory or in a temporary file. Shared by its readers: the exchange,
/// its forks, and detached children, which may outlive the exchange. One worker. Calls that may block run on threads
/// that serve nobody.
class StoredBody {
 public:
  StoredBody(WorkerContext& worker, std::shared_ptr<const BodyStorage> storage);
  StoredBody(const StoredBody&) = delete;
  StoredBody& operator=(const StoredBody&) = delete;
  ~StoredBody();

  /// Takes all of `source`, before anybody reads. A fault of the file is body_not_stored.
  Task<Result<>> fill(Body& source);

  uint64_t size() const { return size_; }
  bool is_in_file() const { return file_ != nullptr; }
  const http::Headers* trailers() const { return trailers_ ? &*trailers_ : nullptr; }

 private:
  friend class StoredBodyReader;
  void keep(std::string_view data);
  Task<int> write_out(const Body& frames);
  std::unexpected<Error> fault(std::string_view step, int error) const;

  WorkerContext& worker_;
  std::shared_ptr<const BodyStorage> storage_;
  uint64_t size_ = 0;
  std::vector<BlockRef> blocks_;         // all full but the last; what isn't in the file
  size_t in_blocks_ = 0;                 // bytes
  uint64_t in_file_ = 0;                 // bytes
  std::shared_ptr<TemporaryFile> file_;  // owned by calls under way, too
  Arena arena_;                          // of the trailers
  std::optional<http::Headers> trailers_;
};

/// One reading of a stored body, from its start.
class StoredBodyReader final : public Body {
 public:
  StoredBodyReader(Arena& arena, std::shared_ptr<StoredBody> stored) : Body(arena), stored_(std::move(stored)) {}

  Task<Result<Chunk>> read() override;
  http::BodySize size() const override { return http::BodySize::known(stored_->size()); }
  bool is_exact() const override { return true; }
  bool rewind() override {
    offset_ = 0;
    return true;
  }
  const std::shared_ptr<StoredBody>& stored() const { return stored_; }

 private:
  Chunk from_memory();
  Task<Result<Chunk>> from_file();

  std::shared_ptr<StoredBody> stored_;
  uint64_t offset_ = 0;
};

}  // namespace weir
