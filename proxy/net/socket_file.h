#pragma once

#include <sys/types.h>

#include <expected>
#include <optional>
#include <string>

#include "net/address.h"

namespace weir::net {

/// Who may connect to a unix socket: mode and owner of its file. Connecting needs the right to write.
struct SocketAccess {
  mode_t mode = 0666;
  std::optional<uid_t> owner{};
  std::optional<gid_t> group{};
  bool operator==(const SocketAccess&) const = default;
};

/// The path of a unix socket; "" for an abstract or any other address.
std::string file_of(const Address& address);

/// Sets mode and owner of the socket file at `path`; a symbolic link is not followed. Returns the access before.
/// Otherwise the reason, and nothing has changed.
std::expected<SocketAccess, std::string> set_access(const std::string& path, const SocketAccess& access);

/// The file of a listening unix socket, removed with this object unless another process has put its own socket there.
/// The file of a process whose place this one takes waits beside it until `settle`: before that, destruction puts it
/// back.
class SocketFile {
 public:
  /// `replaced`: where the other process's file is; "" when there is none.
  explicit SocketFile(std::string path, std::string replaced = {});
  SocketFile(const SocketFile&) = delete;
  SocketFile& operator=(const SocketFile&) = delete;
  ~SocketFile();

  const std::string& path() const { return path_; }
  /// The place is taken for good.
  void settle();
  /// False when the file is gone or another socket's.
  bool is_there() const;

 private:
  std::string path_;
  std::string replaced_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace weir::net
