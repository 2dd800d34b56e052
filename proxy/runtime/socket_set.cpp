#include "runtime/socket_set.h"

#include <unistd.h>

#include <set>

#include "net/listener.h"

namespace weir::runtime {

SocketSet::~SocketSet() {
  for (auto& [address, opened] : sockets_) {
    for (const int fd : opened.fds) ::close(fd);
  }
}

bool SocketSet::open_address(const net::Address& address, const net::SocketAccess& access, const config::Location& at,
                             unsigned count, config::Problems& problems,
                             std::vector<std::pair<std::string, int>>& fresh) {
  const auto name = address.text();
  Opened& opened = sockets_[name];
  opened.is_shared = address.is_unix();
  const unsigned wanted = opened.is_shared ? 1 : count;
  if (opened.fds.empty() && join_ == Join::no) {
    if (const auto why = net::why_taken(address); !why.empty()) {
      problems.add(
          at, "can't listen on " + name + ": " + why,
          why == "address already in use" ? "stop what listens there, or take over from another weir with --join" : "");
      return false;
    }
  }
  while (opened.fds.size() < wanted) {
    const auto fd = net::open_listener(address, {.take_over = join_ == Join::yes, .access = access});
    if (!fd) {
      problems.add(at, "can't listen on " + name + ": " + fd.error());
      return false;
    }
    opened.fds.push_back(*fd);
    opened.access = access;
    if (const auto path = net::file_of(address); !path.empty()) opened.file = std::make_unique<net::SocketFile>(path);
    fresh.emplace_back(name, *fd);
  }
  return true;
}

bool SocketSet::change_access(const Configuration& configuration, config::Problems& problems) {
  const size_t before = problems.size();
  const auto change = [&](const net::Address& address, const net::SocketAccess& access, const config::Location& at) {
    Opened& opened = sockets_.at(address.text());
    if (!opened.file || opened.access == access || !opened.file->is_there()) return;
    if (const auto set = net::set_access(opened.file->path(), access); !set)
      return problems.add(at, "can't change " + address.text() + ": " + set.error());
    opened.access = access;
  };
  for (const auto& listener : configuration.listeners) change(listener.address, listener.access, listener.bind.at);
  if (const auto& admin = configuration.admin) change(admin->address, admin->access, admin->bind.at);
  return problems.size() == before;
}

bool SocketSet::open(const Configuration& configuration, unsigned workers, config::Problems& problems) {
  std::vector<std::pair<std::string, int>> fresh;
  bool ok = true;
  for (const auto& listener : configuration.listeners) {
    ok = open_address(listener.address, listener.access, listener.bind.at, workers, problems, fresh) && ok;
  }
  if (configuration.admin)
    ok = open_address(configuration.admin->address, configuration.admin->access, configuration.admin->bind.at, 1,
                      problems, fresh) &&
         ok;
  if (ok && change_access(configuration, problems)) return true;
  for (const auto& [name, fd] : fresh) {
    ::close(fd);
    std::erase(sockets_[name].fds, fd);
  }
  std::erase_if(sockets_, [](const auto& entry) { return entry.second.fds.empty(); });
  return false;
}

std::vector<std::vector<Assignment>> SocketSet::assign(const Configuration& configuration, unsigned workers) const {
  std::vector<std::vector<Assignment>> assignments(workers);
  for (const auto& listener : configuration.listeners) {
    const auto& opened = sockets_.at(listener.address.text());
    const Assignment common{listener.name, listener.address.is_ip() ? listener.address.port() : uint16_t{0}};
    const size_t count = opened.is_shared ? workers : opened.fds.size();
    for (size_t i = 0; i < count; ++i) {
      Assignment assignment = common;
      assignment.fd = opened.is_shared ? opened.fds[0] : opened.fds[i];
      assignments[i % workers].push_back(assignment);
    }
  }
  if (configuration.admin) {
    const auto name = configuration.admin->address.text();
    assignments[0].push_back({name, 0, sockets_.at(name).fds[0], true});
  }
  return assignments;
}

void SocketSet::keep_only(const Configuration& configuration) {
  std::set<std::string> wanted;
  for (const auto& listener : configuration.listeners) wanted.insert(listener.address.text());
  if (configuration.admin) wanted.insert(configuration.admin->address.text());
  std::erase_if(sockets_, [&](auto& entry) {
    if (wanted.contains(entry.first)) return false;
    for (const int fd : entry.second.fds) ::close(fd);
    return true;
  });
}

}  // namespace weir::runtime
