#include "net/listening_socket.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "net/port_holders.h"
#include "net/socket.h"

// Invariants. Binding comes first, listening later: a bound socket that does not listen gets no connections, so a step
// that fails in between loses none. A path that another process serves is taken over last, by rename.

namespace weir::net {

namespace {

std::string reason(int error) {
  switch (error) {
    case EADDRINUSE: return "address already in use";
    case EADDRNOTAVAIL: return "no interface of this machine has that address";
    case EACCES: return "permission denied (ports below 1024 need CAP_NET_BIND_SERVICE)";
    default: return std::strerror(error);
  }
}

/// The kernel takes the owner of a socket from the user id for files. That id belongs to one thread (no other thread
/// changes), and CAP_NET_BIND_SERVICE does not depend on it.
class OpeningAs {
 public:
  explicit OpeningAs(std::optional<uid_t> owner) {
    if (owner && *owner != ::geteuid()) before_ = static_cast<uid_t>(::setfsuid(*owner));
  }
  OpeningAs(const OpeningAs&) = delete;
  OpeningAs& operator=(const OpeningAs&) = delete;
  ~OpeningAs() {
    if (before_) ::setfsuid(*before_);
  }

 private:
  std::optional<uid_t> before_;
};

const char* path_of(const Address& address) {
  return reinterpret_cast<const sockaddr_un*>(address.get())->sun_path;  // begins with NUL when abstract
}

/// A unix socket file that nobody listens on is left over from a crash and may be replaced.
void remove_stale(const Address& address) {
  const auto* path = path_of(address);
  struct stat info{};
  if (path[0] == '\0' || ::lstat(path, &info) != 0 || !S_ISSOCK(info.st_mode)) return;
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);  // its queue may be full
  if (probe < 0) return;
  if (::connect(probe, address.get(), address.size()) != 0 && errno == ECONNREFUSED) ::unlink(path);
  ::close(probe);
}

std::expected<int, std::string> bind_socket(const Address& address, const ListenOptions& options) {
  const OpeningAs opening(address.is_ip() ? options.owner : std::nullopt);
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return std::unexpected(reason(errno));
  const int on = 1;
  if (address.is_ip()) {
    keep_alive(fd);
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (options.reuse_port) ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (address.family() == AF_INET6) ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  }
  if (::bind(fd, address.get(), address.size()) == 0) return fd;
  const int error = errno;
  ::close(fd);
  return std::unexpected(reason(error));
}

bool have_same_port(const Address& one, const Address& other) {
  return one.is_ip() && one.family() == other.family() && one.port() == other.port() && one.port() != 0;
}

bool is_own(const PortHolder& holder, std::span<const int> own) {
  return std::ranges::any_of(own, [&](int fd) {
    struct stat info{};
    return ::fstat(fd, &info) == 0 && info.st_ino == holder.inode;
  });
}

}  // namespace

bool is_wildcard(const Address& address) {
  if (address.family() == AF_INET)
    return reinterpret_cast<const sockaddr_in*>(address.get())->sin_addr.s_addr == INADDR_ANY;
  return address.family() == AF_INET6 &&
         IN6_IS_ADDR_UNSPECIFIED(&reinterpret_cast<const sockaddr_in6*>(address.get())->sin6_addr);
}

bool covers(const Address& outer, const Address& inner) {
  return have_same_port(outer, inner) && is_wildcard(outer) && !is_wildcard(inner);
}

bool overlap(const Address& one, const Address& other) {
  return have_same_port(one, other) && (one == other || is_wildcard(one) || is_wildcard(other));
}

std::expected<std::unique_ptr<BoundSocket>, std::string> BoundSocket::open(const Address& address,
                                                                           const ListenOptions& options) {
  const std::string path = file_of(address);
  Address place = address;
  if (!path.empty() && options.take_over) {
    if (path.size() + std::strlen(".new") >= sizeof sockaddr_un::sun_path)
      return std::unexpected("the path is too long to be taken over");
    place = Address::unix_path(path + ".new");
    ::unlink(path_of(place));
  } else if (address.is_unix()) {
    remove_stale(address);
  }
  const auto fd = bind_socket(place, options);
  if (!fd) return std::unexpected(fd.error());
  std::unique_ptr<BoundSocket> bound(new BoundSocket(*fd, options));
  if (path.empty()) return bound;
  bound->path_ = path_of(place);
  if (options.take_over) bound->target_ = path;
  // Before it listens: nobody gets in whom the mode keeps out.
  if (const auto set = set_access(bound->path_, options.access); !set) return std::unexpected(set.error());
  return bound;
}

BoundSocket::~BoundSocket() {
  if (fd_ < 0) return;
  if (!path_.empty()) ::unlink(path_.c_str());
  ::close(fd_);
}

std::expected<void, std::string> BoundSocket::listen() {
  if (::listen(fd_, backlog_) == 0) return {};
  return std::unexpected(reason(errno));
}

/// Swaps the two files, so that the other process's can be put back.
bool BoundSocket::take_place() {
  struct stat info{};
  if (::lstat(target_.c_str(), &info) == 0 && !S_ISSOCK(info.st_mode)) {
    errno = EEXIST;  // a file or a directory of somebody's stays where it is
    return false;
  }
  if (::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, target_.c_str(), RENAME_EXCHANGE) == 0) {
    replaced_ = path_;
    return true;
  }
  const bool has_no_other = errno == ENOENT || errno == EINVAL || errno == ENOSYS;  // or the file system knows no swap
  return has_no_other && ::rename(path_.c_str(), target_.c_str()) == 0;
}

std::expected<int, std::string> BoundSocket::publish() {
  if (!target_.empty() && !take_place()) return std::unexpected(reason(errno));
  return std::exchange(fd_, -1);
}

std::expected<int, std::string> open_listener(const Address& address, const ListenOptions& options) {
  const auto bound = BoundSocket::open(address, options);
  if (!bound) return std::unexpected(bound.error());
  if (const auto listening = (*bound)->listen(); !listening) return std::unexpected(listening.error());
  const auto fd = (*bound)->publish();
  if (!(*bound)->replaced().empty()) ::unlink((*bound)->replaced().c_str());
  return fd;
}

std::string why_taken(const Address& address, std::span<const int> own) {
  if (address.is_unix()) {
    remove_stale(address);
    return "";
  }
  // With an overlapping socket of this process, a bind without SO_REUSEPORT fails whoever else is there.
  if (!own.empty()) return is_shared(address, own) ? reason(EADDRINUSE) : "";
  const auto fd = bind_socket(address, {.reuse_port = false});
  if (!fd) return fd.error();
  ::close(*fd);
  return "";
}

bool is_shared(const Address& address, std::span<const int> own) {
  if (!address.is_ip()) return false;
  const auto holders = port_holders(address);
  return holders && std::ranges::any_of(*holders, [&](const PortHolder& holder) { return !is_own(holder, own); });
}

void drop_new_handshakes(int fd) {
  constexpr uint32_t kFlags = 13;  // offset in the TCP header (RFC 9293, 3.1)
  // A filter sees a packet of TCP from the header on, after the kernel has chosen the socket.
  std::array<sock_filter, 5> program{{
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kFlags), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, TH_SYN | TH_ACK),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TH_SYN, 0, 1), BPF_STMT(BPF_RET | BPF_K, 0),  // drops
      BPF_STMT(BPF_RET | BPF_K, 0xffffffff),                                            // keeps the whole packet
  }};
  const sock_fprog filter{program.size(), program.data()};
  ::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
}

}  // namespace weir::net
