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

struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

void tell_kept(const std::string& path) {
  log::warn("socket_file_not_removed", {{"path", path}, {"error", std::strerror(errno)}});
}

std::unexpected<std::string> reason(const std::string& what) {
  return std::unexpected(what + ": " + std::strerror(errno));
}

}  // namespace

std::string file_of(const Address& address) {
  if (!address.is_unix()) return {};
  return reinterpret_cast<const sockaddr_un*>(address.get())->sun_path;  // begins with NUL when abstract
}

std::expected<SocketAccess, std::string> set_access(const std::string& path, const SocketAccess& access) {
  // The directory may be another user's, who puts something else at the path: all is done to what was opened here, and
  // no link is followed.
  const Descriptor file{::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)};
  struct stat info{};
  if (file.fd < 0 || ::fstat(file.fd, &info) != 0) return reason("the access can't be set");
  if (!S_ISSOCK(info.st_mode)) return std::unexpected("there is no socket");
  const SocketAccess before{.mode = info.st_mode & 07777, .owner = info.st_uid, .group = info.st_gid};
  const uid_t owner = access.owner.value_or(info.st_uid);
  const gid_t group = access.group.value_or(info.st_gid);
  const bool changes_owner = owner != info.st_uid || group != info.st_gid;
  if (changes_owner && ::fchownat(file.fd, "", owner, group, AT_EMPTY_PATH) != 0)
    return reason("owner and group can't be set");
  if (before.mode == access.mode) return before;
  // fchmod(2) refuses such a descriptor.
  if (::chmod(("/proc/self/fd/" + std::to_string(file.fd)).c_str(), access.mode) == 0) return before;
  const auto why = reason("the mode can't be set");
  if (changes_owner) (void)!::fchownat(file.fd, "", info.st_uid, info.st_gid, AT_EMPTY_PATH);
  return why;
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
  if (const auto path = std::exchange(replaced_, {}); !path.empty() && ::unlink(path.c_str()) != 0) tell_kept(path);
}

SocketFile::~SocketFile() {
  if (!replaced_.empty() && is_there() && ::rename(replaced_.c_str(), path_.c_str()) == 0) return;
  if (!is_there() || ::unlink(path_.c_str()) == 0) return;
  tell_kept(path_);
}

}  // namespace weir::net
