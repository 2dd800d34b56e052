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

struct Admin {
  net::Address address;
  std::string token;  // "" = none
};

std::expected<Admin, std::string> with_token(const AdminArguments& arguments, Admin admin) {
  if (arguments.token_file.empty()) return admin;
  auto token = runtime::read_token(arguments.token_file);
  if (!token) return std::unexpected("'" + arguments.token_file + "' " + token.error());
  admin.token = std::move(*token);
  return admin;
}

std::expected<Admin, std::string> find_admin(const AdminArguments& arguments) {
  if (!arguments.admin.empty()) {
    if (const auto address = net::Address::parse(arguments.admin)) return with_token(arguments, {*address, ""});
    return std::unexpected("'" + arguments.admin + "' is not an address");
  }
  config::Problems problems;
  const auto loaded = runtime::load(arguments.file, problems);
  const auto& admin = loaded.configuration.admin;
  if (!admin || admin->address.size() == 0) {
    if (!problems.empty()) return std::unexpected(problems.text());
    return std::unexpected(arguments.file + " has no admin: section");
  }
  if (!arguments.token_file.empty()) return with_token(arguments, {admin->address, ""});
  auto token = runtime::read_token(*admin, loaded.folder);
  if (!token) return std::unexpected("'" + *admin->token_file + "' " + token.error());
  return Admin{admin->address, std::move(*token)};
}

std::string request_text(const Admin& admin, const std::string& method, const std::string& path) {
  std::string text = method + " " + path + " HTTP/1.0\r\n";
  text += "Host: " + (admin.address.is_unix() ? "localhost" : admin.address.text()) + "\r\n";
  if (!admin.token.empty()) text += "Authorization: Bearer " + admin.token + "\r\n";
  return text + "Content-Length: 0\r\n\r\n";
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
  const auto admin = find_admin(arguments);
  if (!admin) return std::unexpected(admin.error());
  const int fd = ::socket(admin->address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval patience{30, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  const auto text = exchange(fd, admin->address, request_text(*admin, method, path));
  ::close(fd);
  if (!text) return std::unexpected(text.error());
  return parse(*text);
}

}  // namespace weir::cli
