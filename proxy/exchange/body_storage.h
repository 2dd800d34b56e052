#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>

#include "async/disk_queue.h"
#include "base/fair_share.h"
#include "base/temporary_file.h"
#include "exchange/filter_metrics.h"

namespace weir {

/// The settings, shares and metrics common to all stored bodies of a route.
struct BodyStorage {
  /// A failed step of storing a body; `step` is a label of metrics.
  struct Fault {
    std::string_view step;  // "open", "write", "read"; "files", "bytes", "queue": the client has its share
    int error;              // errno
    std::string_view reason() const;
  };

  size_t memory = 64 * 1024;  // the most bytes of a body kept in memory; a larger body goes into a file as a whole
  std::string folder = "/var/tmp";
  uint64_t max_size = 0;                                     // bytes of all files in the folder; 0 = what the disk has
  int64_t most_files = std::numeric_limits<int64_t>::max();  // of the process
  std::shared_ptr<DiskQueue> disk;                           // the folder's
  std::shared_ptr<FairShare> files;                          // of the process, by client network
  std::shared_ptr<FairShare> bytes;                          // of the folder, in units of BodyFile, by client network
  SharedCount* file_bytes = nullptr;                         // gauge: in files now
  SharedCount* disk_calls = nullptr;                         // gauge: calls with a waiter
  std::function<void(const Fault&)> report;                  // of each fault; may be empty
};

/// The temporary file of a body, and the file's places among the files and bytes of all clients; closing the file gives
/// the places back. The disk's threads open, write, read and destroy the file, one call at a time. The bytes of a
/// client on a disk are at most the bytes that remain free there, so one client fills at most half of the disk.
class BodyFile {
 public:
  static constexpr uint64_t kUnit = 64 * 1024;  // bytes

  BodyFile(const BodyStorage& storage, std::string_view client);
  BodyFile(const BodyFile&) = delete;
  BodyFile& operator=(const BodyFile&) = delete;

  /// False: the client has its share of the process' files, and this one is not to be opened.
  bool may_open() const { return static_cast<bool>(place_); }
  /// False when no thread has begun to open the file, so that nothing has to be closed. Any thread.
  bool may_be_open() const { return is_touched_.load(std::memory_order_relaxed); }
  // An errno, 0 = done.
  int open() {
    is_touched_.store(true, std::memory_order_relaxed);
    return file_.open(folder_);
  }
  /// EDQUOT: the client has its share of the bytes.
  int append(std::string_view text);
  int read(uint64_t offset, size_t size, std::string& text) const { return file_.read(offset, size, text); }

 private:
  bool has_room(uint64_t size);

  const std::string folder_;
  const uint64_t max_size_;
  const std::string client_;
  const std::shared_ptr<FairShare> files_, bytes_;
  FairShare::Place place_;
  FairShare::Place bytes_place_;
  uint64_t size_ = 0;   // bytes
  uint64_t units_ = 0;  // that `bytes_place_` has
  std::atomic<bool> is_touched_ = false;
  TemporaryFile file_;  // last: closed before its places are given back
};

}  // namespace weir
