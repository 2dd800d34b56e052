#include "runtime/log_ownership.h"

#include <fcntl.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/log.h"

// The user owns the directory from the first start on, and may put anything there. So root follows no link in the last
// part of a path, looks at what it has opened and not at the path again, and leaves files with several names alone.

namespace weir::runtime {

namespace {

namespace fs = std::filesystem;

void tell_failure(const std::string& path, std::string_view why) {
  log::warn("log_owner_not_changed", {{"path", path}, {"why", why}});
}

/// `/`, `/tmp`, `/var/log`, `/dev/shm`: other programs write there, too.
bool is_shared(const fs::path& directory) {
  std::error_code error;
  const auto path = fs::weakly_canonical(directory, error).relative_path();
  const auto depth = std::distance(path.begin(), path.end());
  const auto top = depth > 0 ? *path.begin() : fs::path();
  return depth < 2 || (depth == 2 && (top == "var" || top == "usr" || top == "dev"));
}

/// `may_change` decides by what was opened.
template <class MayChange>
void give(const std::string& path, uid_t user, gid_t group, MayChange may_change) {
  const int fd = ::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return;  // not there yet
  struct stat info{};
  if (::fstat(fd, &info) == 0 && info.st_uid == 0 && info.st_uid != user && may_change(info)) {
    if (::fchownat(fd, "", user, group, AT_EMPTY_PATH) != 0) {
      tell_failure(path, std::strerror(errno));
    } else {
      log::info("log_owner_changed", {{"path", path}, {"user", user}});
    }
  }
  ::close(fd);
}

bool is_file(const struct stat& info) {
  return (S_ISREG(info.st_mode) || S_ISFIFO(info.st_mode)) && info.st_nlink == 1;
}

bool is_directory(const struct stat& info) { return S_ISDIR(info.st_mode); }

}  // namespace

void give_log_to(const std::string& path, const std::string& configuration, uid_t user, gid_t group) {
  const auto directory = fs::absolute(path).parent_path();
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) tell_failure(directory, error.message());
  if (fs::equivalent(directory, fs::absolute(configuration).parent_path(), error)) {
    tell_failure(directory, "it holds the configuration, which that user could replace then: write the log elsewhere");
  } else if (!is_shared(directory)) {
    give(directory, user, group, is_directory);
  }
  give(path, user, group, is_file);
}

FilesAs::FilesAs(uid_t user, gid_t group) : user_before_(::geteuid()), group_before_(::getegid()) {
  ::setfsgid(group);
  ::setfsuid(user);  // takes the capabilities for files away, until it is root's again
}

FilesAs::~FilesAs() {
  ::setfsuid(user_before_);
  ::setfsgid(group_before_);
}

}  // namespace weir::runtime
