#include "net/socket_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/log.h"

namespace weir::net {

namespace {

std::optional<struct stat> look_at(const std::string& path) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) return std::nullopt;
  return info;
}

std::unexpected<std::string> reason(const std::string& what) {
  return std::unexpected(what + ": " + std::strerror(errno));
}

}  // namespace

std::string file_of(const Address& address) {
  if (!address.is_unix()) return {};
  return reinterpret_cast<const sockaddr_un*>(address.get())->sun_path;  // begins with NUL when abstract
}

std::expected<void, std::string> set_access(const std::string& path, const SocketAccess& access) {
  const auto info = look_at(path);
  if (!info) return std::unexpected("there is no socket");
  const uid_t owner = access.owner.value_or(info->st_uid);
  const gid_t group = access.group.value_or(info->st_gid);
  const bool changes_owner = owner != info->st_uid || group != info->st_gid;
  if (changes_owner && ::lchown(path.c_str(), owner, group) != 0) return reason("owner and group can't be set");
  if ((info->st_mode & 07777) == access.mode) return {};
  // chmod follows symbolic links, and the directory may be another user's: the mode is set on what was looked at.
  const int fd = ::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return reason("the mode can't be set");
  struct stat opened{};
  const bool is_same = ::fstat(fd, &opened) == 0 && opened.st_dev == info->st_dev && opened.st_ino == info->st_ino;
  const bool is_set = is_same && ::chmod(("/proc/self/fd/" + std::to_string(fd)).c_str(), access.mode) == 0;
  const int error = is_same ? errno : ENOENT;
  ::close(fd);
  if (is_set) return {};
  errno = error;
  return reason("the mode can't be set");
}

SocketFile::SocketFile(std::string path, std::string replaced)
    : path_(std::move(path)), replaced_(std::move(replaced)) {
  if (const auto info = look_at(path_)) {
    device_ = info->st_dev;
    inode_ = info->st_ino;
  }
}

bool SocketFile::is_there() const {
  const auto info = look_at(path_);
  return info && info->st_dev == device_ && info->st_ino == inode_;
}

void SocketFile::settle() {
  if (!replaced_.empty()) ::unlink(std::exchange(replaced_, {}).c_str());
}

SocketFile::~SocketFile() {
  if (!replaced_.empty() && is_there() && ::rename(replaced_.c_str(), path_.c_str()) == 0) return;
  if (!is_there() || ::unlink(path_.c_str()) == 0) return;
  log::warn("socket_file_not_removed", {{"path", path_}, {"error", std::strerror(errno)}});
}

}  // namespace weir::net
