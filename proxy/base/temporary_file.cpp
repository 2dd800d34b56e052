#include "base/temporary_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>

namespace weir {

TemporaryFile::~TemporaryFile() {
  if (fd_ >= 0) ::close(fd_);
}

/// Some file systems have no O_TMPFILE (overlayfs of old kernels, NFS): a name for a moment, then.
int TemporaryFile::open(const std::string& folder) {
  fd_ = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd_ >= 0) return 0;
  if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL) return errno;
  std::string name = folder + "/weir-XXXXXX";
  fd_ = ::mkostemp(name.data(), O_CLOEXEC);
  if (fd_ < 0) return errno;
  ::unlink(name.c_str());
  return 0;
}

std::optional<uint64_t> TemporaryFile::free_space() const {
  struct statvfs disk{};
  if (::fstatvfs(fd_, &disk) != 0 || disk.f_blocks == 0) return std::nullopt;
  return uint64_t{disk.f_bavail} * disk.f_frsize;
}

int TemporaryFile::append(std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(fd_, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    if (count == 0) return ENOSPC;
    text.remove_prefix(static_cast<size_t>(count));
  }
  return 0;
}

int TemporaryFile::read(uint64_t offset, size_t size, std::string& text) const {
  text.resize(size);
  size_t has = 0;
  while (has < size) {
    const ssize_t count = ::pread(fd_, text.data() + has, size - has, static_cast<off_t>(offset + has));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    if (count == 0) break;
    has += static_cast<size_t>(count);
  }
  text.resize(has);
  return 0;
}

}  // namespace weir
