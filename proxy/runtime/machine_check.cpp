#include "runtime/machine_check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "runtime/privileges.h"

namespace weir::runtime {

namespace {

enum class Folder : uint8_t { must_exist, made_at_start };

/// The errno that opening the log would give; 0: none.
int log_error(const std::filesystem::path& path, Folder folder) {
  struct stat found{};
  if (::stat(path.c_str(), &found) == 0) {
    if (S_ISDIR(found.st_mode)) return EISDIR;
    return ::faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) == 0 ? 0 : errno;
  }
  if (errno != ENOENT) return errno;
  if (::faccessat(AT_FDCWD, path.parent_path().c_str(), W_OK | X_OK, AT_EACCESS) == 0) return 0;
  return errno == ENOENT && folder == Folder::made_at_start ? 0 : errno;
}

std::string hint_of(int error, const std::filesystem::path& folder) {
  switch (error) {
    case ENOENT: return "make the folder " + folder.string() + ", for the user that weir runs as";
    case EISDIR: return "write the name of a file in it";
    case EACCES: return "weir must run as a user who may write into " + folder.string();
    default: return "";
  }
}

}  // namespace

void check_machine(const Configuration& configuration, config::Problems& problems) {
  const auto becoming = wanted_identity(configuration, problems);
  const auto file = configuration.access_log.file();
  if (file.empty()) return;
  std::error_code ignored;
  const auto path = std::filesystem::absolute(file, ignored);  // of the folder that weir is started in
  const int error = log_error(path, becoming ? Folder::made_at_start : Folder::must_exist);
  if (error == 0) return;
  problems.add(configuration.access_log.path.at, "'" + path.string() + "' can't be opened: " + std::strerror(error),
               hint_of(error, path.parent_path()));
}

}  // namespace weir::runtime
