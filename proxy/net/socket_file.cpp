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
  if ((info->st_mode & 07777) != access.mode && ::chmod(path.c_str(), access.mode) != 0)
    return reason("the mode can't be set");
  return {};
}

SocketFile::SocketFile(std::string path) : path_(std::move(path)) {
  if (const auto info = look_at(path_)) {
    device_ = info->st_dev;
    inode_ = info->st_ino;
  }
}

bool SocketFile::is_there() const {
  const auto info = look_at(path_);
  return info && info->st_dev == device_ && info->st_ino == inode_;
}

SocketFile::~SocketFile() {
  if (!is_there() || ::unlink(path_.c_str()) == 0) return;
  log::warn("socket_file_not_removed", {{"path", path_}, {"error", std::strerror(errno)}});
}

}  // namespace weir::net
