#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/problems.h"
#include "net/socket_file.h"
#include "runtime/configuration.h"
#include "runtime/worker.h"

namespace weir::runtime {

/// The listening sockets of the process: one for each address and worker, kept over reloads; a unix socket is one
/// for all workers, whose file is removed with it. The supervisor's thread.
class SocketSet {
 public:
  enum class Join : bool { no, yes };
  /// With `Join::yes` an address that another process listens on is shared, not an error.
  explicit SocketSet(Join join) : join_(join) {}
  SocketSet(const SocketSet&) = delete;
  SocketSet& operator=(const SocketSet&) = delete;
  ~SocketSet();

  /// Opens what `configuration` needs and isn't there yet. What can't be opened becomes a Problem at its line, and then
  /// nothing has changed.
  bool open(const Configuration& configuration, unsigned workers, config::Problems& problems);
  /// The sockets of a configuration that was opened, worker by worker. A socket whose worker is gone goes to another.
  std::vector<std::vector<Assignment>> assign(const Configuration& configuration, unsigned workers) const;
  /// Closes what `configuration` doesn't name. Once no worker watches it.
  void keep_only(const Configuration& configuration);

 private:
  struct Opened {
    std::vector<int> fds;
    bool is_shared = false;
    net::SocketAccess access;               // of a unix socket
    std::unique_ptr<net::SocketFile> file;  // goes with the socket
  };
  bool open_address(const net::Address& address, const net::SocketAccess& access, const config::Location& at,
                    unsigned count, config::Problems& problems, std::vector<std::pair<std::string, int>>& fresh);
  /// Gives unix sockets that are open already the access that `configuration` wants.
  bool change_access(const Configuration& configuration, config::Problems& problems);

  Join join_;
  std::map<std::string, Opened> sockets_;  // by address
};

}  // namespace weir::runtime
