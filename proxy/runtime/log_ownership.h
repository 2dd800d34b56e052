#pragma once

#include <sys/types.h>

#include <string>

namespace weir::runtime {

/// Makes the file of a log and its directory the user's, so that the log can be opened again after the privileges are
/// gone. A missing directory is created. Only what belongs to root changes its owner, and never: a symbolic link, a
/// file with several names, a directory that the system shares (`/var/log`, `/tmp`), the directory of the file
/// `configuration`. As root; a failure is an event.
void give_log_to(const std::string& path, const std::string& configuration, uid_t user, gid_t group);

/// Opens and creates files as that user while it lives. The calling thread alone.
class FilesAs {
 public:
  FilesAs(uid_t user, gid_t group);
  FilesAs(const FilesAs&) = delete;
  FilesAs& operator=(const FilesAs&) = delete;
  ~FilesAs();

 private:
  uid_t user_before_;
  gid_t group_before_;
};

}  // namespace weir::runtime
