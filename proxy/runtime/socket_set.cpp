#include "runtime/socket_set.h"

#include <unistd.h>

#include <algorithm>

#include "base/log.h"
#include "net/port_holders.h"

// Invariants. A socket listens only once all steps of a start or reload that may fail are done: a listening socket that
// nobody accepts on would swallow its share of the connections. All sockets of a port have one owner, since Linux
// shares a port only between sockets of one user; a socket of the first hour and one of a later reload are of the same
// user.

namespace weir::runtime {

namespace {

std::expected<int, std::string> open_to_clients(net::BoundSocket& socket) {
  if (const auto listening = socket.listen(); !listening) return std::unexpected(listening.error());
  return socket.publish();
}

}  // namespace

SocketSet::~SocketSet() {
  for (auto& [address, opened] : sockets_) {
    for (const int fd : opened.fds) ::close(fd);
  }
}

std::vector<SocketSet::Wanted> SocketSet::wanted_by(const Configuration& configuration, unsigned workers) const {
  std::vector<Wanted> wanted;
  std::set<std::string> named;
  std::vector<size_t> wide;  // those that may cover other addresses
  const auto add = [&](const net::Address& address, const config::Location& at, Assignment use, unsigned count,
                       const net::SocketAccess& access) {
    if (net::is_wildcard(address)) wide.push_back(wanted.size());
    named.insert(address.text());
    wanted.push_back({address, at, std::move(use), address.is_unix() ? 1 : count, access});
  };
  for (const auto& listener : configuration.listeners) {
    const uint16_t port = listener.address.is_ip() ? listener.address.port() : uint16_t{0};
    add(listener.address, listener.bind.at, {listener.name, port, -1, Purpose::clients}, workers, listener.access);
  }
  if (const auto& admin = configuration.admin) {
    add(admin->address, admin->bind.at, {admin->address.text(), 0, -1, Purpose::admin}, 1, admin->access);
    const auto& metrics = admin->metrics_address;
    if (metrics.size() > 0)
      add(metrics, admin->metrics_bind.at, {metrics.text(), 0, -1, Purpose::metrics}, 1, admin->access);
  }
  for (const auto& [name, opened] : sockets_) {
    if (named.contains(name)) continue;
    const auto by =
        std::ranges::find_if(wide, [&](size_t index) { return net::covers(wanted[index].address, opened.address); });
    if (by == wide.end()) continue;
    Wanted covered = wanted[*by];
    covered.address = opened.address;
    wanted.push_back(std::move(covered));
  }
  return wanted;
}

size_t SocketSet::opened_at(const net::Address& address) const {
  const auto found = sockets_.find(address.text());
  return found == sockets_.end() ? 0 : found->second.fds.size();
}

std::vector<int> SocketSet::overlapping(const net::Address& address, const Bound& bound) const {
  std::vector<int> fds;
  for (const auto& [name, opened] : sockets_) {
    if (net::overlap(opened.address, address)) fds.insert(fds.end(), opened.fds.begin(), opened.fds.end());
  }
  for (const auto& fresh : bound.sockets) {
    if (net::overlap(fresh.address, address)) fds.push_back(fresh.socket->fd());
  }
  return fds;
}

/// The sockets of the process that listens there may be of another user than ours are to be.
std::optional<uid_t> SocketSet::owner_to_join(const net::Address& address, std::optional<uid_t> owner) const {
  if (join_ == Join::no || !address.is_ip() || ::geteuid() != 0) return owner;
  const auto holders = net::port_holders(address);
  if (!holders || holders->empty()) return owner;
  const auto exact = std::ranges::find(*holders, address, &net::PortHolder::address);
  return exact == holders->end() ? holders->front().owner : exact->owner;
}

void SocketSet::bind(const Wanted& wanted, std::optional<uid_t> owner, Bound& bound, config::Problems& problems) const {
  const auto name = wanted.address.text();
  const size_t before = opened_at(wanted.address);
  if (before == 0 && join_ == Join::no) {
    if (const auto why = net::why_taken(wanted.address, overlapping(wanted.address, bound)); !why.empty()) {
      return problems.add(
          wanted.at, "can't listen on " + name + ": " + why,
          why == "address already in use" ? "stop what listens there, or take over from another weir with --join" : "");
    }
  }
  if (before < wanted.count) owner = owner_to_join(wanted.address, owner);
  for (size_t count = before; count < wanted.count; ++count) {
    auto socket = net::BoundSocket::open(wanted.address,
                                         {.take_over = join_ == Join::yes, .owner = owner, .access = wanted.access});
    if (!socket && before > 0) {
      log::warn("listening_sockets_shared",
                {{"address", name}, {"sockets", count}, {"workers", wanted.count}, {"reason", socket.error()}});
      return;
    }
    if (!socket) return problems.add(wanted.at, "can't listen on " + name + ": " + socket.error());
    bound.sockets.push_back({wanted.address, wanted.at, std::move(*socket), wanted.access});
  }
}

std::optional<SocketSet::Bound> SocketSet::bind(const Configuration& configuration, unsigned workers,
                                                std::optional<uid_t> owner, config::Problems& problems) const {
  Bound bound;
  const size_t known = problems.size();
  for (const auto& wanted : wanted_by(configuration, workers)) bind(wanted, owner, bound, problems);
  if (problems.size() > known) return std::nullopt;
  return bound;
}

std::vector<std::vector<Assignment>> SocketSet::assign(const Configuration& configuration, unsigned workers,
                                                       const Bound& bound) const {
  std::vector<std::vector<Assignment>> assignments(workers);
  std::map<std::string, std::vector<int>> fresh;
  for (const auto& socket : bound.sockets) fresh[socket.address.text()].push_back(socket.socket->fd());
  for (const auto& wanted : wanted_by(configuration, workers)) {
    const auto name = wanted.address.text();
    std::vector<int> fds;
    if (const auto found = sockets_.find(name); found != sockets_.end()) fds = found->second.fds;
    if (const auto found = fresh.find(name); found != fresh.end())
      fds.insert(fds.end(), found->second.begin(), found->second.end());
    if (fds.empty()) continue;
    const size_t count = wanted.use.is_admin() ? 1 : std::max<size_t>(workers, fds.size());
    for (size_t i = 0; i < count; ++i) {
      auto& assignment = assignments[i % workers].emplace_back(wanted.use);
      assignment.fd = fds[i % fds.size()];
    }
  }
  return assignments;
}

bool SocketSet::change_access(const Configuration& configuration, config::Problems& problems) {
  for (const auto& wanted : wanted_by(configuration, 1)) {
    const auto found = sockets_.find(wanted.address.text());
    if (found == sockets_.end()) continue;
    Opened& opened = found->second;
    if (!opened.file || opened.access == wanted.access || !opened.file->is_there()) continue;
    const auto before = net::set_access(opened.file->path(), wanted.access);
    if (!before) {
      problems.add(wanted.at, "can't change " + wanted.address.text() + ": " + before.error());
      return false;
    }
    opened.changed = {std::exchange(opened.access, wanted.access), *before};
  }
  return true;
}

bool SocketSet::take_over(Bound& bound, config::Problems& problems) {
  for (auto& fresh : bound.sockets) {
    if (!fresh.socket->takes_over()) continue;
    auto fd = open_to_clients(*fresh.socket);
    if (!fd) {
      problems.add(fresh.at, "can't take over " + fresh.address.text() + ": " + fd.error());
      return false;
    }
    keep(fresh, *fd);
  }
  std::erase_if(bound.sockets, [](const auto& fresh) { return fresh.socket->takes_over(); });
  return true;
}

bool SocketSet::listen(Bound& bound, config::Problems& problems) {
  for (auto& fresh : bound.sockets) {
    auto fd = open_to_clients(*fresh.socket);
    if (!fd) {
      problems.add(fresh.at, "can't listen on " + fresh.address.text() + ": " + fd.error());
      return false;
    }
    keep(fresh, *fd);
  }
  bound.sockets.clear();
  return true;
}

void SocketSet::keep(Bound::Socket& fresh, int fd) {
  auto& opened = sockets_[fresh.address.text()];
  opened.address = fresh.address;
  opened.fds.push_back(fd);
  opened.access = fresh.access;
  if (const auto path = net::file_of(fresh.address); !path.empty())
    opened.file = std::make_unique<net::SocketFile>(path, fresh.socket->replaced());
}

void SocketSet::settle() {
  for (auto& [name, opened] : sockets_) {
    opened.changed.reset();
    if (opened.file) opened.file->settle();
  }
}

void SocketSet::give_back() {
  for (auto& [name, opened] : sockets_) {
    if (!opened.changed) continue;
    if (opened.file->is_there()) {
      if (const auto set = net::set_access(opened.file->path(), opened.changed->found); !set)
        log::warn("socket_access_not_given_back", {{"path", opened.file->path()}, {"why", set.error()}});
    }
    opened.access = opened.changed->configured;
    opened.changed.reset();
  }
}

bool SocketSet::leave_to_others(const std::set<int>& kept) const {
  bool any = false;
  for (const auto& [name, opened] : sockets_) {
    const auto is_kept = [&](int fd) { return kept.contains(fd); };
    if (std::ranges::all_of(opened.fds, is_kept) || !net::is_shared(opened.address, overlapping(opened.address, {})))
      continue;
    any = true;
    for (const int fd : opened.fds) {
      if (!is_kept(fd)) net::drop_new_handshakes(fd);
    }
  }
  return any;
}

void SocketSet::keep_only(const std::set<int>& kept) {
  for (auto& [name, opened] : sockets_) {
    std::erase_if(opened.fds, [&](int fd) {
      if (kept.contains(fd)) return false;
      ::close(fd);
      return true;
    });
  }
  std::erase_if(sockets_, [](const auto& entry) { return entry.second.fds.empty(); });
}

}  // namespace weir::runtime
