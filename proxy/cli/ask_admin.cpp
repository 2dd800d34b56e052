#include "cli/ask_admin.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "net/address.h"
#include "runtime/configuration.h"

namespace weir::cli {

namespace {

std::expected<net::Address, std::string> find_admin(const AdminArguments& arguments) {
  if (!arguments.admin.empty()) {
    if (const auto address = net::Address::parse(arguments.admin)) return *address;
    return std::unexpected("'" + arguments.admin + "' is not an address");
  }
  config::Problems problems;
  const auto loaded = runtime::load(arguments.file, problems);
  const auto& admin = loaded.configuration.admin;
  if (admin && admin->address.size() > 0) return admin->address;
  if (!problems.empty()) return std::unexpected(problems.text());
  return std::unexpected(arguments.file + " has no admin: section");
}

std::expected<std::string, std::string> exchange(int fd, const net::Address& address, const std::string& request) {
  if (::connect(fd, address.get(), address.size()) != 0)
    return std::unexpected("can't reach " + address.text() + ": " + std::strerror(errno));
  if (::send(fd, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) {
    return std::unexpected("can't ask " + address.text());
  }
  std::string answer;
  char bytes[16384];
  for (ssize_t count; (count = ::recv(fd, bytes, sizeof bytes, 0)) != 0;) {
    if (count < 0) return std::unexpected(address.text() + " didn't answer: " + std::strerror(errno));
    answer.append(bytes, static_cast<size_t>(count));
  }
  return answer;
}

/// An HTTP/1.0 answer: its body runs until close.
std::expected<Answer, std::string> parse(const std::string& text) {
  const auto end = text.find("\r\n\r\n");
  Answer answer;
  if (text.size() < 12 || !text.starts_with("HTTP/1.") || end == std::string::npos)
    return std::unexpected("that isn't an answer of weir");
  std::from_chars(text.data() + 9, text.data() + 12, answer.status);
  answer.body = text.substr(end + 4);
  return answer;
}

}  // namespace

std::expected<Answer, std::string> ask_admin(const AdminArguments& arguments, const std::string& method,
                                             const std::string& path) {
  const auto address = find_admin(arguments);
  if (!address) return std::unexpected(address.error());
  const int fd = ::socket(address->family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval patience{30, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  const auto text =
      exchange(fd, *address, method + " " + path + " HTTP/1.0\r\nHost: weir\r\nContent-Length: 0\r\n\r\n");
  ::close(fd);
  if (!text) return std::unexpected(text.error());
  return parse(*text);
}

}  // namespace weir::cli
