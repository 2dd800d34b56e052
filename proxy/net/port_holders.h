#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "net/address.h"

namespace weir::net {

/// A listening socket of this machine, whichever process has it.
struct PortHolder {
  Address address;
  uid_t owner = 0;
  uint64_t inode = 0;
};

/// The listening sockets that overlap with `address`. Nothing when the kernel's table can't be read.
std::optional<std::vector<PortHolder>> port_holders(const Address& address);
/// The same out of the text of /proc/net/tcp or /proc/net/tcp6.
std::vector<PortHolder> port_holders(const Address& address, std::string_view table);

}  // namespace weir::net
