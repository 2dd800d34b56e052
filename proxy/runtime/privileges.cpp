#include "runtime/privileges.h"

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace weir::runtime {

namespace {

std::optional<Identity> find_identity(const Configuration& configuration, config::Problems& problems) {
  Identity identity{::getuid(), ::getgid()};
  if (!configuration.user->empty()) {
    const passwd* entry = ::getpwnam(configuration.user->c_str());
    if (!entry) {
      problems.add(configuration.user.at, "there is no user '" + *configuration.user + "' on this machine");
      return std::nullopt;
    }
    identity = {entry->pw_uid, entry->pw_gid};
  }
  if (!configuration.group->empty()) {
    const ::group* entry = ::getgrnam(configuration.group->c_str());
    if (!entry) {
      problems.add(configuration.group.at, "there is no group '" + *configuration.group + "' on this machine");
      return std::nullopt;
    }
    identity.group = entry->gr_gid;
  }
  return identity;
}

bool keep_only_bind_service() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  data[0].effective = data[0].permitted = 1u << CAP_NET_BIND_SERVICE;
  return ::syscall(SYS_capset, &header, data) == 0;
}

const config::Location& asked_at(const Configuration& configuration) {
  return configuration.user->empty() ? configuration.group.at : configuration.user.at;
}

}  // namespace

std::optional<Identity> wanted_identity(const Configuration& configuration, config::Problems& problems) {
  if (configuration.user->empty() && configuration.group->empty()) return std::nullopt;
  const auto identity = find_identity(configuration, problems);
  if (!identity || (identity->user == ::getuid() && identity->group == ::getgid())) return std::nullopt;
  if (::geteuid() == 0) return identity;
  problems.add(asked_at(configuration), "only root can become somebody else",
               "start weir as root, or leave user: and group: out");
  return std::nullopt;
}

void drop_privileges(const Configuration& configuration, const Identity& identity, config::Problems& problems) {
  const auto& at = asked_at(configuration);
  ::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
  const bool done =
      ::setgroups(1, &identity.group) == 0 && ::setgid(identity.group) == 0 && ::setuid(identity.user) == 0;
  if (!done) return problems.add(at, std::string("can't become that user: ") + std::strerror(errno));
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);  // of this thread; the others have that from their start
  if (identity.user != 0 && !keep_only_bind_service())
    problems.add(at, std::string("can't keep CAP_NET_BIND_SERVICE: ") + std::strerror(errno));
}

}  // namespace weir::runtime
