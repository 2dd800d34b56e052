#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir {

/// A file without a name, which is gone with the descriptor, also when the process crashes. For its owner's eyes only.
/// All calls block: for threads that serve nobody. Errors are errno, 0 = none.
class TemporaryFile {
 public:
  TemporaryFile() = default;
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile();

  /// Once. `folder` is on a file system that takes it.
  int open(const std::string& folder);
  bool is_open() const { return fd_ >= 0; }
  /// All of `text`, behind what was written before.
  int append(std::string_view text);
  /// Bytes that its disk has free for this user; nothing: the disk doesn't tell. Once it is open.
  std::optional<uint64_t> free_space() const;
  /// Up to `size` bytes from `offset` on, into `text`; fewer at the end.
  int read(uint64_t offset, size_t size, std::string& text) const;

 private:
  int fd_ = -1;
};

}  // namespace weir
