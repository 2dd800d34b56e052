#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "config/problems.h"
#include "net/listening_socket.h"
#include "runtime/configuration.h"
#include "runtime/worker.h"

namespace weir::runtime {

/// The listening sockets of the process: one for each address and worker, kept over reloads; a unix socket is one
/// for all workers. The supervisor's thread.
class SocketSet {
 public:
  enum class Join : bool { no, yes };
  /// The new sockets of a configuration, which do not listen yet. Dropped, they are closed, and nothing has changed.
  struct Bound {
    struct Socket {
      net::Address address;
      config::Location at;
      std::unique_ptr<net::BoundSocket> socket;
      net::SocketAccess access;
    };
    std::vector<Socket> sockets;
  };

  /// With `Join::yes` an address that another process listens on is shared, not an error.
  explicit SocketSet(Join join) : join_(join) {}
  SocketSet(const SocketSet&) = delete;
  SocketSet& operator=(const SocketSet&) = delete;
  ~SocketSet();

  /// Binds what `configuration` needs and isn't there yet. The sockets belong to `owner`; none: to this process' user.
  /// What can't be bound becomes a Problem at its line.
  std::optional<Bound> bind(const Configuration& configuration, unsigned workers, std::optional<uid_t> owner,
                            config::Problems& problems) const;
  /// The sockets of a configuration, `bound` included, worker by worker. A socket whose worker is gone goes to another;
  /// workers without a socket of their own share one. The sockets of an address that the configuration no longer names
  /// serve on as long as a wildcard address of the configuration covers that address.
  std::vector<std::vector<Assignment>> assign(const Configuration& configuration, unsigned workers,
                                              const Bound& bound = {}) const;

  // The steps that a failure undoes (`give_back`, then `keep_only`), in this order: when a socket begins to listen, all
  // that may fail is done. False, with a Problem, when a step fails.
  /// Gives unix sockets that are open already the access that `configuration` wants.
  bool change_access(const Configuration& configuration, config::Problems& problems);
  /// Puts new unix sockets in the place of another process's and keeps them.
  bool take_over(Bound& bound, config::Problems& problems);
  /// Clients reach the new sockets from here on; the set keeps them.
  bool listen(Bound& bound, config::Problems& problems);
  /// All that has changed is kept for good.
  void settle();
  /// Undoes `change_access`.
  void give_back();

  /// All but these take no new connection where another process listens on the address, too. True when there is such
  /// a socket: handshakes that have begun need a moment before it is closed.
  bool leave_to_others(const std::set<int>& kept) const;
  /// Closes all but these, once no worker watches the others.
  void keep_only(const std::set<int>& kept);

 private:
  struct ChangedAccess {
    net::SocketAccess configured;
    net::SocketAccess found;  // mode and owner of the file
  };
  struct Opened {
    net::Address address;
    std::vector<int> fds;
    net::SocketAccess access;               // of a unix socket
    std::unique_ptr<net::SocketFile> file;  // goes with the socket
    std::optional<ChangedAccess> changed;   // until `settle`
  };
  /// An address that a configuration listens on.
  struct Wanted {
    net::Address address;
    config::Location at;
    Assignment use;
    unsigned count;  // of sockets
    net::SocketAccess access;
  };
  std::vector<Wanted> wanted_by(const Configuration& configuration, unsigned workers) const;
  void keep(Bound::Socket& fresh, int fd);
  size_t opened_at(const net::Address& address) const;
  void bind(const Wanted& wanted, std::optional<uid_t> owner, Bound& bound, config::Problems& problems) const;
  std::optional<uid_t> owner_to_join(const net::Address& address, std::optional<uid_t> owner) const;
  std::vector<int> overlapping(const net::Address& address, const Bound& bound) const;

  Join join_;
  std::map<std::string, Opened> sockets_;  // by address
};

}  // namespace weir::runtime
