#include "net/port_holders.h"

#include <arpa/inet.h>

#include <array>
#include <charconv>
#include <cstring>
#include <fstream>
#include <string>

#include "net/listening_socket.h"

namespace weir::net {

namespace {

constexpr std::string_view kListening = "0A";  // TCP_LISTEN
constexpr size_t kFields = 10;                 // sl local remote st queues timer retransmits uid timeout inode

template <class N>
N number(std::string_view text, int base) {
  N value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, base);
  return value;
}

std::array<std::string_view, kFields> fields_of(std::string_view line) {
  std::array<std::string_view, kFields> fields;
  for (auto& field : fields) {
    const auto begin = line.find_first_not_of(' ');
    if (begin == std::string_view::npos) break;
    line.remove_prefix(begin);
    field = line.substr(0, line.find(' '));
    line.remove_prefix(field.size());
  }
  return fields;
}

/// "0100007F:1F90": words of 32 bits as the machine has them in memory, and the port.
Address address_of(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return {};
  const auto port = htons(number<uint16_t>(text.substr(colon + 1), 16));
  std::array<uint32_t, 4> words{};
  const size_t count = colon / 8;
  if (count != 1 && count != words.size()) return {};
  for (size_t i = 0; i < count; ++i) words[i] = number<uint32_t>(text.substr(i * 8, 8), 16);
  if (count == 1) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = port;
    v4.sin_addr.s_addr = words[0];
    return {reinterpret_cast<const sockaddr*>(&v4), sizeof v4};
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = port;
  std::memcpy(&v6.sin6_addr, words.data(), sizeof v6.sin6_addr);
  return {reinterpret_cast<const sockaddr*>(&v6), sizeof v6};
}

std::optional<PortHolder> holder_of(std::string_view line) {
  const auto fields = fields_of(line);
  if (fields[3] != kListening) return std::nullopt;
  return PortHolder{address_of(fields[1]), number<uid_t>(fields[7], 10), number<uint64_t>(fields[9], 10)};
}

}  // namespace

std::vector<PortHolder> port_holders(const Address& address, std::string_view table) {
  std::vector<PortHolder> holders;
  while (!table.empty()) {
    const auto line = table.substr(0, table.find('\n'));
    table.remove_prefix(std::min(table.size(), line.size() + 1));
    const auto holder = holder_of(line);
    if (holder && overlap(holder->address, address)) holders.push_back(*holder);
  }
  return holders;
}

std::optional<std::vector<PortHolder>> port_holders(const Address& address) {
  std::ifstream table(address.family() == AF_INET6 ? "/proc/net/tcp6" : "/proc/net/tcp");
  std::string line, listening;
  if (!std::getline(table, line)) return std::nullopt;  // the heading
  // The kernel lists listening sockets first; connections, which may be many, are not read.
  while (std::getline(table, line) && fields_of(line)[3] == kListening) listening += line + '\n';
  return port_holders(address, listening);
}

}  // namespace weir::net
